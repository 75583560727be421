"""Each picture is looked at twice, once as its mirror image, and the two answers become one.

Common in the evaluation of pose estimators ("flip test"; Newell et al. 2016, arXiv:1603.06937, section 3.1). They
average heat maps; here the decoded detections are averaged, so that it works with every engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import ModelMetadata
from kpt_tools.inference.around import EngineAround
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections, check_image

SAME_IOU = 0.5
"""From this intersection over union on, two detections of one class are the same object."""
SAME_POINT = 0.2
"""Keypoints are the same place up to this distance, as a share of the square root of the box's area."""

_BOXES, _CLASSES, _SCORES = "detection_boxes", "detection_classes", "detection_scores"
_POINTS, _POINT_SCORES = "detection_keypoints", "detection_keypoint_scores"
FloatArray = npt.NDArray[np.float32]


class FlipTestEngine(EngineAround):
    """Runs an engine on pictures and their mirror images."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine."""
        super().__init__(engine)
        self._slots = _mirrored_slots(engine.metadata)

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """See `Engine`; boxes, points and scores are means of both looks, and what one of them missed counts half."""
        for image in images:
            check_image(image)
        found = self._engine.detect_batch([*images, *(np.ascontiguousarray(image[:, ::-1]) for image in images)])
        first, second = found[: len(images)], found[len(images) :]
        return [
            merged(one, mirrored(other, self._slots), (image.shape[0], image.shape[1]))
            for one, other, image in zip(first, second, images, strict=True)
        ]


def _mirrored_slots(metadata: ModelMetadata) -> list[int]:
    """For each keypoint slot the one that its mirror image is."""
    slots = list(range(metadata.label_map.num_keypoints))
    for a, b in metadata.flip_pairs:
        slots[a], slots[b] = b, a
    return slots


def mirrored(raw: RawDetections, slots: Sequence[int]) -> RawDetections:
    """Detections in a mirror image, as they are in the picture.

    Args:
        raw: of one picture, see `kpt_tools.inference.engine.Engine.detect`.
        slots: for each keypoint slot the one that its mirror image is.
    """
    boxes = raw[_BOXES]
    result = {**raw, _BOXES: np.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], axis=1)}
    if _POINTS in raw:
        points = raw[_POINTS][:, slots]
        result[_POINTS] = np.stack([points[..., 0], 1 - points[..., 1]], axis=-1)
        result[_POINT_SCORES] = raw[_POINT_SCORES][:, slots]
    return result


def merged(first: RawDetections, second: RawDetections, image_hw: tuple[int, int]) -> RawDetections:
    """Two answers about one picture as one, best first.

    Boxes of a pair are averaged. So are its keypoints, unless they lie apart: then the one with the better score stays.

    Args:
        first: of one picture.
        second: of the same picture.
        image_hw: height and width of the picture in pixels, for distances.
    """
    pairs, lonely_first, lonely_second = _pairs(first, second)
    one = {key: value[pairs[:, 0]] for key, value in first.items()}
    other = {key: value[pairs[:, 1]] for key, value in second.items()}
    both = {**one, _BOXES: (one[_BOXES] + other[_BOXES]) / 2, _SCORES: (one[_SCORES] + other[_SCORES]) / 2}
    if _POINTS in first:
        both[_POINTS], both[_POINT_SCORES] = _points_of_both(one, other, both[_BOXES], image_hw)
    parts = [both]
    for raw, rows in ((first, lonely_first), (second, lonely_second)):
        part = {key: value[rows] for key, value in raw.items()}
        parts.append({**part, _SCORES: part[_SCORES] / 2})
    joined = {key: np.concatenate([part[key] for part in parts]) for key in both}
    order = np.argsort(-joined[_SCORES], kind="stable")
    return {key: value[order] for key, value in joined.items()}


def _pairs(first: RawDetections, second: RawDetections) -> tuple[npt.NDArray[np.intp], list[int], list[int]]:
    """[P, 2] rows of the same objects, and the rows of each that have no partner; the best choose first."""
    overlaps = _overlaps(first[_BOXES], second[_BOXES])
    overlaps[first[_CLASSES][:, np.newaxis] != second[_CLASSES]] = 0.0
    pairs: list[tuple[int, int]] = []
    lonely = []
    for row in np.argsort(-first[_SCORES], kind="stable"):
        partner = int(overlaps[row].argmax()) if overlaps.shape[1] else -1
        if partner >= 0 and overlaps[row, partner] >= SAME_IOU:
            pairs.append((int(row), partner))
            overlaps[:, partner] = 0.0
        else:
            lonely.append(int(row))
    taken = {partner for _, partner in pairs}
    rest = [row for row in range(overlaps.shape[1]) if row not in taken]
    return np.array(pairs, np.intp).reshape(-1, 2), lonely, rest


def _overlaps(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of [N, 4] with [M, 4] boxes (y1, x1, y2, x2): [N, M]."""
    low = np.maximum(first[:, np.newaxis, :2], second[:, :2])
    high = np.minimum(first[:, np.newaxis, 2:], second[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=-1) for boxes in (first, second)]
    union = areas[0][:, np.newaxis] + areas[1] - shared
    overlaps: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def _points_of_both(
    one: RawDetections, other: RawDetections, boxes: FloatArray, image_hw: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Places [P, S, 2] and scores [P, S] of the keypoints of pairs."""
    pixels = np.array(image_hw, np.float32)
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None) * pixels
    near = SAME_POINT * np.sqrt(sides.prod(axis=-1))[:, np.newaxis]
    same = np.linalg.norm((one[_POINTS] - other[_POINTS]) * pixels, axis=-1) <= near
    better = one[_POINT_SCORES] >= other[_POINT_SCORES]
    chosen = np.where(better[..., np.newaxis], one[_POINTS], other[_POINTS])
    places = np.where(same[..., np.newaxis], (one[_POINTS] + other[_POINTS]) / 2, chosen)
    mean = (one[_POINT_SCORES] + other[_POINT_SCORES]) / 2
    return places, np.where(same, mean, np.maximum(one[_POINT_SCORES], other[_POINT_SCORES]) / 2)
