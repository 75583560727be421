"""Where predictions go: COCO results as JSON, and a table as CSV. Both are streamed and appear whole."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kpt_tools.entities import LabelMap, Prediction
from kpt_tools.fsio import atomic_open

CocoSink = Callable[[Prediction, int], None]
"""Takes a prediction and the id of its image."""

CsvSink = Callable[[Prediction], None]

_PIXEL_DIGITS = 3
_SCORE_DIGITS = 6


def coco_rows(prediction: Prediction, image_id: int, category_ids: Mapping[int, int]) -> list[dict[str, Any]]:
    """One COCO result per detection, with the names of image and class beside their ids.

    ``keypoints`` holds x, y, score for each keypoint of the class, in its order; a class without keypoints has
    none. `pycocotools.COCO.loadRes` takes the list as it is.

    Args:
        prediction: of one image.
        image_id: its id.
        category_ids: category id by class id of the label map; classes not in it keep their own.
    """
    rows = []
    for detection in prediction.detections:
        row: dict[str, Any] = {
            "image_id": image_id,
            "file_name": prediction.image,
            "category_id": category_ids.get(detection.class_id, detection.class_id),
            "category_name": detection.class_name,
            "bbox": [round(value, _PIXEL_DIGITS) for value in detection.box_xywh_px],
            "score": round(detection.score, _SCORE_DIGITS),
        }
        if detection.keypoints_xys:
            row["keypoints"] = [value for point in detection.keypoints_xys for value in _rounded(point)]
        rows.append(row)
    return rows


def _rounded(point: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, score = point
    return round(x, _PIXEL_DIGITS), round(y, _PIXEL_DIGITS), round(score, _SCORE_DIGITS)


@contextlib.contextmanager
def coco_results(path: Path, category_ids: Mapping[int, int]) -> Iterator[CocoSink]:
    """A sink that writes COCO results, one per line; `path` appears when the block ends well."""
    with atomic_open(path, "w") as handle:
        before = "[\n"

        def write(prediction: Prediction, image_id: int) -> None:
            nonlocal before
            for row in coco_rows(prediction, image_id, category_ids):
                handle.write(before + json.dumps(row, ensure_ascii=False, allow_nan=False))
                before = ",\n"

        yield write
        handle.write("\n]\n" if before == ",\n" else "[]\n")


def csv_header(label_map: LabelMap) -> list[str]:
    """Column names: image, size, class, score, box, then x, y and score of every keypoint of every class."""
    fixed = ["file_name", "image_width", "image_height", "class", "score", "x", "y", "width", "height"]
    slots = [keypoint.label for item in label_map.items for keypoint in item.keypoints]
    return fixed + [f"{label}_{what}" for label in slots for what in ("x", "y", "score")]


def csv_rows(prediction: Prediction, label_map: LabelMap) -> list[list[str | int | float]]:
    """One row per detection; keypoints of other classes stay empty."""
    rows = []
    for detection in prediction.detections:
        cells: list[str | int | float] = [
            prediction.image,
            prediction.width,
            prediction.height,
            detection.class_name,
            round(detection.score, _SCORE_DIGITS),
            *(round(value, _PIXEL_DIGITS) for value in detection.box_xywh_px),
        ]
        for item in label_map.items:
            own = detection.keypoints_xys if item.id == detection.class_id else ()
            cells += [value for point in own for value in _rounded(point)] or [""] * (3 * len(item.keypoints))
        rows.append(cells)
    return rows


@contextlib.contextmanager
def csv_table(path: Path, label_map: LabelMap) -> Iterator[CsvSink]:
    """A sink that writes one CSV row per detection; `path` appears when the block ends well."""
    with atomic_open(path, "w") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(csv_header(label_map))
        yield lambda prediction: writer.writerows(csv_rows(prediction, label_map))
