"""Where predictions go: JSON lines, COCO results and a CSV table, each written as predictions come."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kpt_tools.entities import Detection, LabelMap, Prediction
from kpt_tools.fsio import atomic_open

CocoSink = Callable[[Prediction, int], None]
"""Takes a prediction and the id of its image."""

CsvSink = Callable[[Prediction], None]

_PIXEL_DIGITS = 3
_SCORE_DIGITS = 6


def rounded(prediction: Prediction) -> Prediction:
    """The prediction with the digits that all outputs have: pixels to 0.001, scores to 0.000001."""
    detections = (
        replace(
            found,
            score=round(found.score, _SCORE_DIGITS),
            box_xywh_px=(
                round(x, _PIXEL_DIGITS),
                round(y, _PIXEL_DIGITS),
                round(width, _PIXEL_DIGITS),
                round(height, _PIXEL_DIGITS),
            ),
            keypoints_xys=tuple(map(_rounded, found.keypoints_xys)),
        )
        for found in prediction.detections
        for x, y, width, height in (found.box_xywh_px,)
    )
    return replace(prediction, detections=tuple(detections))


def coco_rows(prediction: Prediction, image_id: int, category_ids: Mapping[int, int]) -> list[dict[str, Any]]:
    """One COCO result per detection, with the names of image and class beside their ids.

    ``keypoints`` holds x, y, score for each keypoint of the class, in its order; a class without keypoints has
    none. ``track_id`` is there if the object was tracked. `pycocotools.COCO.loadRes` takes the list as it is.

    Args:
        prediction: of one image.
        image_id: its id.
        category_ids: category id by class id of the label map; classes not in it keep their own.
    """
    place = {"image_id": image_id, "file_name": prediction.image}
    return [{**place, **_detection_row(found, category_ids)} for found in prediction.detections]


def json_row(prediction: Prediction, image_id: int | None, category_ids: Mapping[int, int]) -> dict[str, Any]:
    """One image with all its detections, as ``predictions.jsonl`` has it.

    Args:
        prediction: of one image.
        image_id: its id; None if it has none.
        category_ids: category id by class id of the label map; classes not in it keep their own.
    """
    return {
        "image_id": image_id,
        "file_name": prediction.image,
        "width": prediction.width,
        "height": prediction.height,
        "detections": [_detection_row(found, category_ids) for found in prediction.detections],
    }


def prediction_of(row: Mapping[str, Any], label_map: LabelMap) -> Prediction:
    """The prediction behind a row of `json_row`, equal to it but for what rounding took.

    Raises:
        KeyError: it is no such row, or of other classes.
    """
    ids = {item.name: item.id for item in label_map.items}
    detections = tuple(_detection_of(found, ids) for found in row["detections"])
    return Prediction(row["file_name"], row["width"], row["height"], detections)


def _detection_row(found: Detection, category_ids: Mapping[int, int]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "category_id": category_ids.get(found.class_id, found.class_id),
        "category_name": found.class_name,
        "bbox": [round(value, _PIXEL_DIGITS) for value in found.box_xywh_px],
        "score": round(found.score, _SCORE_DIGITS),
    }
    if found.keypoints_xys:
        row["keypoints"] = [value for point in found.keypoints_xys for value in _rounded(point)]
    if found.track_id is not None:
        row["track_id"] = found.track_id
    return row


def _detection_of(row: Mapping[str, Any], class_ids: Mapping[str, int]) -> Detection:
    x, y, width, height = row["bbox"]
    flat = row.get("keypoints", [])
    points = tuple(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))
    name = row["category_name"]
    return Detection(class_ids[name], name, row["score"], (x, y, width, height), points, row.get("track_id"))


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


def csv_header(label_map: LabelMap, *, tracked: bool = False) -> list[str]:
    """Column names: image, size, class, score, box, then x, y and score of every keypoint of every class."""
    fixed = ["file_name", "image_width", "image_height", "class", "score", "x", "y", "width", "height"]
    slots = [keypoint.label for item in label_map.items for keypoint in item.keypoints]
    track = ["track_id"] if tracked else []
    return fixed + track + [f"{label}_{what}" for label in slots for what in ("x", "y", "score")]


def csv_rows(prediction: Prediction, label_map: LabelMap, *, tracked: bool = False) -> list[list[str | int | float]]:
    """One row per detection; keypoints of other classes stay empty, and so does an object's unknown number."""
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
        if tracked:
            cells.append("" if detection.track_id is None else detection.track_id)
        for item in label_map.items:
            own = detection.keypoints_xys if item.id == detection.class_id else ()
            cells += [value for point in own for value in _rounded(point)] or [""] * (3 * len(item.keypoints))
        rows.append(cells)
    return rows


@contextlib.contextmanager
def csv_table(path: Path, label_map: LabelMap, *, tracked: bool = False) -> Iterator[CsvSink]:
    """A sink that writes one CSV row per detection; `path` appears when the block ends well.

    Args:
        path: the file.
        label_map: classes and keypoints, for the columns.
        tracked: whether there is a column ``track_id``.
    """
    with atomic_open(path, "w") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(csv_header(label_map, tracked=tracked))
        yield lambda prediction: writer.writerows(csv_rows(prediction, label_map, tracked=tracked))
