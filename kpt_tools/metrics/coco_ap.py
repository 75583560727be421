"""Average precision of boxes and keypoints, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

from kpt_tools.entities import BoxXywhPx, Detection, Instance
from kpt_tools.lazy import require
from kpt_tools.metrics.oks import AreaSource, area_of
from kpt_tools.metrics.pairs import ImagePair, of_class
from kpt_tools.metrics.result import AveragePrecision

BOX_MAX_DETECTIONS = 100
OKS_MAX_DETECTIONS = 20
"""COCO's own limits per image and class."""

_ALL_AREAS = [0.0, 1e12]
_CLASS = 1


def box_ap(pairs: Sequence[ImagePair], class_id: int, max_detections: int = BOX_MAX_DETECTIONS) -> AveragePrecision:
    """Box AP of one class over IoU .50:.05:.95.

    Crowd regions are passed over as COCO does it; objects without a box take no part.

    Returns:
        Numbers 0..1 (0.0 if nothing was detected); all None if the class has no object with a box.

    Raises:
        MissingDependencyError: pycocotools is not installed.
    """
    truth, found = _tables(pairs, class_id, "bbox", with_keypoints=False)
    return _average_precision(truth, found, len(pairs), "bbox", None, max_detections)


def oks_ap(
    pairs: Sequence[ImagePair],
    class_id: int,
    sigmas: Sequence[float],
    area: AreaSource = "bbox",
    max_detections: int = OKS_MAX_DETECTIONS,
) -> AveragePrecision:
    """Keypoint AP of one class over OKS .50:.05:.95.

    v = 1 counts like v = 2. Objects without a labelled point are passed over as COCO does it (detections
    near them are neither right nor wrong); objects without a box take no part.

    Args:
        pairs: truth and detections of every image.
        class_id: the class; it must have keypoints.
        sigmas: one per keypoint of the class.
        area: where the A of the OKS formula comes from.
        max_detections: only so many per image are looked at, best first.

    Returns:
        Numbers 0..1 (0.0 if nothing was detected); all None if no object has a labelled point.

    Raises:
        MissingDependencyError: pycocotools is not installed.
    """
    truth, found = _tables(pairs, class_id, area, with_keypoints=True)
    return _average_precision(truth, found, len(pairs), "keypoints", sigmas, max_detections)


def _tables(
    pairs: Sequence[ImagePair], class_id: int, area: AreaSource, *, with_keypoints: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """COCO rows of truth and detections; images are numbered 1..N, rows too (pycocotools reads id 0 as "no match")."""
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image_id, pair in enumerate(pairs, start=1):
        for instance in pair.truth:
            if instance.category_id == class_id and (box := instance.box_xywh_px) is not None:
                row = _truth_row(instance, box, area, with_keypoints=with_keypoints)
                truth.append({**row, "id": len(truth) + 1, "image_id": image_id})
        for detection in of_class(pair.detections, class_id):
            found.append({**_found_row(detection), "id": len(found) + 1, "image_id": image_id})
    return truth, found


def _truth_row(instance: Instance, box: BoxXywhPx, area: AreaSource, *, with_keypoints: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "category_id": _CLASS,
        "bbox": list(box),
        "area": area_of(instance, area),
        "iscrowd": int(instance.iscrowd),
    }
    if with_keypoints:
        row["keypoints"] = [value for point in instance.keypoints_xyv for value in point]
        row["num_keypoints"] = instance.num_labelled
    return row


def _found_row(detection: Detection) -> dict[str, Any]:
    x, y, width, height = detection.box_xywh_px
    return {
        "category_id": _CLASS,
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
        "score": detection.score,
        "keypoints": [value for point in detection.keypoints_xys for value in point],
    }


def _average_precision(
    truth: list[dict[str, Any]],
    found: list[dict[str, Any]],
    num_images: int,
    kind: str,
    sigmas: Sequence[float] | None,
    max_detections: int,
) -> AveragePrecision:
    cocoeval = require("pycocotools.cocoeval", purpose="average precision")
    import numpy as np

    if kind == "keypoints":
        truth = [_padded(row, len(sigmas or ())) for row in truth]
    with _silent():
        judge = cocoeval.COCOeval(_coco(truth, num_images), _coco(found, num_images), kind)
        judge.params.areaRng, judge.params.areaRngLbl = [_ALL_AREAS], ["all"]
        judge.params.maxDets = [max_detections]
        if sigmas is not None:
            judge.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, 0, 0, 0]  # [10 thresholds, 101 recalls]; -1: no object at all
    if (precision < 0).all():
        return AveragePrecision(None, None, None)
    return AveragePrecision(float(precision.mean()), float(precision[0].mean()), float(precision[5].mean()))


def _padded(row: dict[str, Any], num_keypoints: int) -> dict[str, Any]:
    """An object that no keypoint was drawn for still needs K points, all of them "not labelled"."""
    return row if row["keypoints"] else {**row, "keypoints": [0, 0, 0] * num_keypoints}


def _coco(rows: list[dict[str, Any]], num_images: int) -> Any:
    coco = require("pycocotools.coco", purpose="average precision").COCO()
    coco.dataset = {
        "images": [{"id": image_id} for image_id in range(1, num_images + 1)],
        "categories": [{"id": _CLASS, "name": "object"}],
        "annotations": rows,
    }
    coco.createIndex()
    return coco


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep pycocotools' progress prints off the standard output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
