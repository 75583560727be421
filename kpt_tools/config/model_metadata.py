"""The file ``kpt_tools.json`` beside an exported model: its classes, keypoints, skeleton, sigmas and flip pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json, write_json

FILE_NAME = "kpt_tools.json"
FORMAT = "kpt-tools-model/1"
_KEYS = frozenset({"format", "classes", "skeleton", "sigmas", "flip_pairs", "input_hw"})


def write_metadata(folder: Path, metadata: ModelMetadata) -> Path:
    """Write ``folder/kpt_tools.json`` atomically and return its path.

    Raises:
        DataError: `metadata` contradicts itself (a skeleton edge to a slot that is not there, for example).
    """
    path = Path(folder) / FILE_NAME
    return write_json(path, metadata_to_dict(_checked(metadata, str(path))))


def read_metadata(folder: Path) -> ModelMetadata:
    """Read ``folder/kpt_tools.json``.

    Raises:
        ConfigError: there is none.
        DataError: it is not such a file, is of another format version, or contradicts itself.
    """
    path = Path(folder) / FILE_NAME
    raw = read_json(path, what="model description (kpt-tools export writes it)")
    return metadata_from_dict(raw, str(path))


def metadata_to_dict(metadata: ModelMetadata) -> dict[str, Any]:
    """JSON-able form of `metadata`."""
    classes = [
        {
            "id": item.id,
            "name": item.name,
            "keypoints": [{"id": k.id, "label": k.label, "name": k.name} for k in item.keypoints],
        }
        for item in metadata.label_map.items
    ]
    return {
        "format": FORMAT,
        "classes": classes,
        "skeleton": [list(edge) for edge in metadata.skeleton],
        "sigmas": list(metadata.sigmas),
        "flip_pairs": [list(pair) for pair in metadata.flip_pairs],
        "input_hw": list(metadata.input_hw),
    }


def metadata_from_dict(raw: object, where: str) -> ModelMetadata:
    """Build the metadata from parsed JSON, refusing what does not fit.

    Args:
        raw: the parsed file.
        where: its name, for messages.

    Raises:
        DataError: not the right format, a key missing or unknown, or a contradiction.
    """
    if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, Mapping) else type(raw).__name__
        raise DataError(f"{where}: format is {found!r}; expected '{FORMAT}'. Run kpt-tools export again.")
    if set(raw) != _KEYS:
        odd = ", ".join(sorted(set(raw) ^ _KEYS))
        raise DataError(f"{where}: missing or unknown keys: {odd}. Run kpt-tools export again.")
    try:
        metadata = ModelMetadata(
            label_map=LabelMap(tuple(_item(row) for row in raw["classes"])),
            skeleton=_pairs(raw["skeleton"]),
            sigmas=tuple(float(sigma) for sigma in raw["sigmas"]),
            flip_pairs=_pairs(raw["flip_pairs"]),
            input_hw=_pairs([raw["input_hw"]])[0],
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{where}: damaged model description ({exc!r}). Run kpt-tools export again.") from exc
    return _checked(metadata, where)


def _item(row: Mapping[str, Any]) -> LabelMapItem:
    keypoints = tuple(KeypointLabel(int(k["id"]), str(k["label"]), str(k["name"])) for k in row["keypoints"])
    return LabelMapItem(int(row["id"]), str(row["name"]), keypoints)


def _pairs(rows: Sequence[Sequence[Any]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in rows)


def _checked(metadata: ModelMetadata, where: str) -> ModelMetadata:
    items = metadata.label_map.items
    slots = [keypoint.id for item in items for keypoint in item.keypoints]
    count = len(slots)
    problems = {
        f"class ids are {[item.id for item in items]}; expected 1..{len(items)} (at least one)": not items
        or [item.id for item in items] != list(range(1, len(items) + 1)),
        f"keypoint ids are {slots}; expected 0..{count - 1} in order": slots != list(range(count)),
        f"{len(metadata.sigmas)} sigmas; expected {count}, one per keypoint, or none": len(metadata.sigmas)
        not in (0, count),
        "sigmas must be greater than 0": any(not sigma > 0 for sigma in metadata.sigmas),
        f"skeleton or flip pairs name a keypoint outside 0..{count - 1}": any(
            not 0 <= slot < count for pair in metadata.skeleton + metadata.flip_pairs for slot in pair
        ),
    }
    for problem, holds in problems.items():
        if holds:
            raise DataError(f"{where}: {problem}. Run kpt-tools export again.")
    return metadata
