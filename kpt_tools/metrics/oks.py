"""Object keypoint similarity, as COCO defines it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import Instance

AreaSource = Literal["bbox", "bbox*0.53", "segm"]

OKS_BINS = 20
"""Bars of the distribution, each 0.05 wide."""


@dataclass(frozen=True, slots=True)
class OksSpread:
    """How the OKS of a class's objects are distributed.

    Attributes:
        counts: found objects by OKS: 0 to 0.05, ... 0.95 to 1 (the upper border belongs to the bar).
        missed: objects with labelled points that no detection overlaps with IoU >= 0.5.
        median: of the found ones; None if there are none.
    """

    counts: tuple[int, ...]
    missed: int
    median: float | None


def spread(values: Sequence[float], missed: int) -> OksSpread:
    """Condense OKS values (0..1) of found objects."""
    bins = [0] * OKS_BINS
    for value in values:
        bins[min(max(math.ceil(value * OKS_BINS) - 1, 0), OKS_BINS - 1)] += 1
    return OksSpread(tuple(bins), missed, float(np.median(values)) if values else None)


def oks(
    predicted_xy_px: npt.ArrayLike, truth_xyv_px: npt.ArrayLike, sigmas: Sequence[float], area_px: float
) -> float | None:
    """Similarity of one predicted object to one annotated object.

    ``sum_i exp(-d_i^2 / (2 A (2 sigma_i)^2)) [v_i > 0] / sum_i [v_i > 0]`` (cocodataset.org, "Keypoint
    Evaluation"; the same sum as ``computeOks`` in pycocotools). v = 1 counts like v = 2.

    Args:
        predicted_xy_px: [K, 2], x and y in pixels.
        truth_xyv_px: [K, 3], x and y in pixels and the visibility 0, 1 or 2.
        sigmas: K numbers, how exactly each point can be placed, relative to the square root of the area.
        area_px: area of the annotated object in square pixels.

    Returns:
        0..1, or None if no point is labelled.

    Raises:
        ValueError: the shapes do not belong together.
    """
    predicted = np.asarray(predicted_xy_px, dtype=np.float64).reshape(-1, 2)
    truth = np.asarray(truth_xyv_px, dtype=np.float64).reshape(-1, 3)
    variances = (2.0 * np.asarray(sigmas, dtype=np.float64)) ** 2
    if not len(predicted) == len(truth) == len(variances):
        raise ValueError(f"{len(predicted)} predicted points, {len(truth)} true points, {len(variances)} sigmas")
    labelled = truth[:, 2] > 0
    if not labelled.any():
        return None
    squared = ((predicted - truth[:, :2]) ** 2).sum(axis=1)
    exponent = squared / variances / (area_px + np.spacing(1)) / 2.0
    return float(np.exp(-exponent[labelled]).mean())


def area_of(instance: Instance, source: AreaSource) -> float:
    """The A of the OKS formula for `instance`, in square pixels.

    With "segm" an annotation without an area falls back to its box, as the OD API does; see
    `lacks_area` to count these. Without a box it is 0.0.
    """
    box = instance.box_xywh_px
    box_area = box[2] * box[3] if box is not None else 0.0
    if source == "segm":
        return instance.area_px if instance.area_px > 0 else box_area
    return box_area * 0.53 if source == "bbox*0.53" else box_area


def lacks_area(instance: Instance) -> bool:
    """Whether the annotation says nothing about its area, so that "segm" takes the box."""
    return instance.area_px <= 0


def as_area_source(text: str) -> AreaSource:
    """`text` as an `AreaSource`.

    Raises:
        ValueError: it is none.
    """
    if text not in ("bbox", "bbox*0.53", "segm"):
        raise ValueError(f"unknown area source '{text}'")
    return cast(AreaSource, text)
