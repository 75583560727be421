"""Truth and prediction of one image side by side, and which detection belongs to which object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kpt_tools.entities import BoxXywhPx, Detection, Instance

MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class ImagePair:
    """What one image shows and what was found in it.

    Attributes:
        name: of the image, for messages.
        truth: objects with `category_id` = id in the label map and keypoints of their own class.
        detections: with `class_id` of the same label map.
    """

    name: str
    truth: tuple[Instance, ...]
    detections: tuple[Detection, ...]


def iou(first: BoxXywhPx, second: BoxXywhPx) -> float:
    """Intersection over union of two boxes (x, y, width, height); 0.0 if both are empty."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = first[2] * first[3] + second[2] * second[3] - shared
    return shared / union if union > 0 else 0.0


def match(pair: ImagePair, class_id: int, min_iou: float = MATCH_IOU) -> list[tuple[Instance, Detection]]:
    """Pairs of annotated and detected objects of one class.

    Greedy, as COCO does it: detections in order of falling score each take the free object with the
    greatest box IoU, if that is at least `min_iou`. Crowd regions and objects without a box take no part.
    """
    free = countable(pair, class_id)
    found = []
    for detection in sorted(of_class(pair.detections, class_id), key=lambda d: -d.score):
        overlaps = [iou(detection.box_xywh_px, truth.box_xywh_px) for truth in free if truth.box_xywh_px]
        best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
        if best is not None and overlaps[best] >= min_iou:
            found.append((free.pop(best), detection))
    return found


def countable(pair: ImagePair, class_id: int) -> list[Instance]:
    """The objects of one class that can be found: not crowds, with a box."""
    return [truth for truth in pair.truth if truth.category_id == class_id and _takes_part(truth)]


def of_class(detections: Sequence[Detection], class_id: int) -> list[Detection]:
    """The detections of one class."""
    return [detection for detection in detections if detection.class_id == class_id]


def _takes_part(truth: Instance) -> bool:
    return truth.box_xywh_px is not None and not truth.iscrowd
