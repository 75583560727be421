"""Predictions as a data set, so that all that is done with annotations can be done with them.

A point's score becomes a visibility: 2 for a confident point, 1 for a weak one, 0, 0, 0 for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kpt_tools.entities import Category, Dataset, Detection, ImageRecord, Instance, KeypointXyv, ModelMetadata

_DIGITS = 2


@dataclass(frozen=True)
class PointPolicy:
    """From a point's score to its visibility.

    Attributes:
        confident: from this score up v = 2.
        weak: from this score up v = 1; below, the point is 0, 0, 0.
    """

    confident: float
    weak: float


def instance_of(
    detection: Detection, category: Category, policy: PointPolicy, *, instance_id: int, image_id: int
) -> Instance:
    """A detection as an annotated object; coordinates to a hundredth of a pixel, the area that of the box."""
    x, y, w, h = (round(value, _DIGITS) for value in detection.box_xywh_px)
    points = tuple(_visible(point, policy) for point in detection.keypoints_xys)
    return Instance(
        id=instance_id,
        image_id=image_id,
        category_id=category.id,
        box_xywh_px=(x, y, w, h),
        area_px=w * h,
        keypoints_xyv=points,
    )


def _visible(point_xys: tuple[float, float, float], policy: PointPolicy) -> KeypointXyv:
    x, y, score = point_xys
    if score < policy.weak:
        return 0.0, 0.0, 0
    return round(x, _DIGITS), round(y, _DIGITS), 2 if score >= policy.confident else 1


def categories_of(metadata: ModelMetadata, renamed: Mapping[str, str] | None = None) -> tuple[Category, ...]:
    """The model's classes as categories with the ids of the label map; `renamed` gives other names."""
    result = []
    for item in metadata.label_map.items:
        place = {keypoint.id: number for number, keypoint in enumerate(item.keypoints)}
        edges = tuple((place[a], place[b]) for a, b in metadata.skeleton if a in place and b in place)
        name = (renamed or {}).get(item.name, item.name)
        result.append(Category(item.id, name, tuple(keypoint.name for keypoint in item.keypoints), edges))
    return tuple(result)


def dataset_of(
    predictions: Iterable[tuple[ImageRecord, Sequence[Detection]]],
    categories: Sequence[Category],
    policy: PointPolicy,
    source: str,
) -> Dataset:
    """Predictions as a data set; class ids of the detections are ids of `categories`."""
    by_id = {category.id: category for category in categories}
    images: list[ImageRecord] = []
    instances: list[Instance] = []
    for image, detections in predictions:
        images.append(image)
        for detection in detections:
            category = by_id[detection.class_id]
            number = len(instances) + 1
            instances.append(instance_of(detection, category, policy, instance_id=number, image_id=image.id))
    return Dataset(tuple(images), tuple(categories), tuple(instances), source)
