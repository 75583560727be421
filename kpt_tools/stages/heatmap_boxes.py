"""Boxes that another model found, for the second road to look into."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kpt_tools.entities import BoxXywhPx
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json
from kpt_tools.heatmap.geometry import Points


@dataclass(frozen=True)
class FoundBox:
    """A box of another model.

    Attributes:
        box_xywh_px: in pixels of the picture as shown.
        score: of the detection.
        points: [N, 2] keypoints of the detection; empty without any.
    """

    box_xywh_px: BoxXywhPx
    score: float
    points: Points


class FoundBoxes:
    """The boxes of a file of COCO results, by name of the picture."""

    def __init__(self, path: Path, class_name: str, min_score: float) -> None:
        """Read ``predictions.json`` of `kpt-tools infer`, or other COCO results with ``file_name``.

        Boxes of the class are taken; if the file has one class only, that one, whatever its name.

        Raises:
            ConfigError: no such file, or several classes and none of this name.
            DataError: it is no list of COCO results with file names.
        """
        raw = read_json(path, what="COCO results with file_name (kpt-tools infer writes them)")
        if not isinstance(raw, list):
            raise DataError(f"{path}: is no list; expected COCO results, as kpt-tools infer writes them.")
        rows = [_checked(row, f"{path}: result {number}") for number, row in enumerate(raw)]
        self.path = path
        names = sorted({str(row.get("category_name", "")) for row in rows})
        if class_name not in names and len(names) > 1:
            raise ConfigError(f"{path}: has the classes {', '.join(names)}; expected '{class_name}'.")
        wanted = class_name if class_name in names else next(iter(names), "")
        self._by_name: dict[str, list[FoundBox]] = {}
        for row in rows:
            known = self._by_name.setdefault(str(row["file_name"]), [])
            if str(row.get("category_name", "")) == wanted and float(row.get("score", 1.0)) >= min_score:
                known.append(_box_of(row))
        self._by_base = _unique_bases(self._by_name)

    @property
    def num_points(self) -> int:
        """Keypoints per object; 0 if there are none or not equally many."""
        counts = {len(box.points) for boxes in self._by_name.values() for box in boxes}
        return counts.pop() if len(counts) == 1 else 0

    def of(self, name: str) -> Sequence[FoundBox]:
        """The boxes of a picture, by its name, or by its base name if only one picture has that."""
        if name in self._by_name:
            return self._by_name[name]
        return self._by_name.get(self._by_base.get(PurePosixPath(name).name, ""), ())

    def count(self) -> int:
        """Number of boxes."""
        return sum(len(boxes) for boxes in self._by_name.values())


def _unique_bases(names: Mapping[str, object]) -> dict[str, str]:
    bases: dict[str, list[str]] = {}
    for name in names:
        bases.setdefault(PurePosixPath(name).name, []).append(name)
    return {base: found[0] for base, found in bases.items() if len(found) == 1}


def _checked(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
        raise DataError(f"{where}: has no file_name; expected a result of kpt-tools infer.")
    box = row.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(_is_number(value) for value in box)):
        raise DataError(f"{where}: bbox is {box!r}; expected x, y, width, height.")
    points = row.get("keypoints", [])
    if not (isinstance(points, list) and len(points) % 3 == 0 and all(_is_number(value) for value in points)):
        raise DataError(f"{where}: keypoints are not x, y, score of each point.")
    if not _is_number(row.get("score", 1.0)):
        raise DataError(f"{where}: score is {row.get('score')!r}; expected a number.")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _box_of(row: Mapping[str, Any]) -> FoundBox:
    x, y, w, h = (float(value) for value in row["bbox"])
    points = np.array(row.get("keypoints", []), np.float64).reshape(-1, 3)[:, :2]
    return FoundBox((x, y, w, h), float(row.get("score", 1.0)), points)
