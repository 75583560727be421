"""OKS sigmas of keypoint slots: one number for all, or a JSON file with one per keypoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpt_tools.config.base import did_you_mean
from kpt_tools.entities import LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import read_json

DEFAULT_SIGMA = 0.05
LARGEST_SIGMA = 0.5
"""COCO's largest is 0.107. With sigma 5, every prediction scores OKS > 0.99."""


def read_sigmas(text: str, label_map: LabelMap) -> tuple[float, ...]:
    """Sigma per slot from an option: a number for all, or the path of a JSON file as in `sigmas_of`.

    Raises:
        ConfigError: see `sigmas_of`, or there is no such file.
        DataError: the file is not JSON.
    """
    try:
        value: Any = float(text)
    except ValueError:
        value = read_json(Path(text), what="JSON file of OKS sigmas, or a number")
    return sigmas_of(value, label_map, f"--sigmas {text}")


def sigmas_of(value: Any, label_map: LabelMap, source: str) -> tuple[float, ...]:
    """Sigma per slot.

    Args:
        value: a number for all; a list of one per slot; an object of keypoint name or label to number; or
            an object of class name to one of these. Keypoints that an object leaves out get `DEFAULT_SIGMA`.
        label_map: classes and slots.
        source: where the value comes from, for messages.

    Raises:
        ConfigError: another type, a wrong count, an unknown name, or a sigma outside 0..0.5.
    """
    if isinstance(value, Mapping) and value and all(isinstance(entry, Mapping | list) for entry in value.values()):
        return _by_class(value, label_map, source)
    slots = [keypoint for item in label_map.items for keypoint in item.keypoints]
    if isinstance(value, list):
        return _listed(value, len(slots), source)
    if isinstance(value, Mapping):
        known = {key: 0 for keypoint in slots for key in (keypoint.name, keypoint.label)}
        _refuse_unknown(value, known, "keypoint", source)
        return tuple(
            _checked(value.get(slot.label, value.get(slot.name, DEFAULT_SIGMA)), f"{source}: '{slot.label}'")
            for slot in slots
        )
    return (_checked(value, source),) * len(slots)


def std_of(sigma: float) -> float:
    """`keypoint_label_to_std` for a sigma: the width of the training heatmap's peak, relative to the box's.

    The zoo's COCO models have ten times the sigma (0.25-1.07); the OD API's default is 1.0. It multiplies
    a width that grows with the box: 1/6 cell of stride 4 up to boxes of 12 cells, 1/2 cell up to 24
    (`_compute_std_dev_from_box_size`). On an object of 50-100 px, 1.0 leaves the neighbouring cell a target
    of 0.14, ten times the default sigma 0.0003: the focal loss would punish being one cell off as hard as
    being far off. So: ten times sigma, but within 1 and 2.
    """
    return min(2.0, max(1.0, round(10 * sigma, 3)))


def _by_class(value: Mapping[str, Any], label_map: LabelMap, source: str) -> tuple[float, ...]:
    _refuse_unknown(value, {item.name: 0 for item in label_map.items}, "class", source)
    sigmas: list[float] = []
    for item in label_map.items:
        alone = LabelMap(items=(LabelMapItem(1, item.name, item.keypoints),))
        sigmas += sigmas_of(value.get(item.name, DEFAULT_SIGMA), alone, f"{source}: class '{item.name}'")
    return tuple(sigmas)


def _listed(value: list[Any], count: int, source: str) -> tuple[float, ...]:
    if len(value) != count:
        raise ConfigError(f"{source}: {len(value)} sigmas; expected {count}, one per keypoint in label-map order.")
    return tuple(_checked(entry, f"{source}: number {index}") for index, entry in enumerate(value, start=1))


def _refuse_unknown(value: Mapping[str, Any], known: dict[str, int], what: str, source: str) -> None:
    for name in value:
        if name not in known:
            raise ConfigError(f"{source}: the label map has no {what} '{name}'{did_you_mean(name, known)}")


def _checked(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: sigma is {value!r}; expected a number like {DEFAULT_SIGMA}.")
    if not (math.isfinite(value) and 0 < value <= LARGEST_SIGMA):
        raise ConfigError(
            f"{where}: sigma is {value:g}; expected above 0 and at most {LARGEST_SIGMA} "
            "(COCO's are 0.025-0.107; larger ones call every prediction right)."
        )
    return float(value)
