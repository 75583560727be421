"""Boxes against the points and the segmentation of the same object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import clip_box, extent
from kpt_tools.entities import BoxXywhPx, Category, Dataset, Finding, ImageRecord, Instance

_OUTSIDE_SHARE = 0.1
_FAR_SHARE = 0.5
_LEAST_IOU = 0.75
_LEAST_EDGE_PX = 3.0


def check_boxes(dataset: Dataset) -> list[Finding]:
    """Points far from their box, boxes that hold few of their points, boxes that are not those of the segmentation."""
    found: list[Finding] = []
    categories = dataset.category_by_id
    for image in dataset.images:
        for instance in dataset.instances_of_image[image.id]:
            if instance.box_xywh_px is not None and not instance.iscrowd:
                found += _check_points(instance, instance.box_xywh_px, categories[instance.category_id], image)
                found += _check_segmentation(instance, instance.box_xywh_px, categories[instance.category_id], image)
    return found


def iou(a: BoxXywhPx, b: BoxXywhPx) -> float:
    """Intersection over union of two boxes; 0 where neither has an area."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = a[2] * a[3] + b[2] * b[3] - shared
    return shared / union if union > 0 else 0.0


def segmentation_box(instance: Instance) -> BoxXywhPx | None:
    """The extent of the polygons of an object, None if it has none or they have no area."""
    flat = [value for polygon in instance.segmentation for value in polygon]
    box = extent(flat[::2], flat[1::2])
    return box if box is not None and box[2] > 0 and box[3] > 0 else None


def _check_points(instance: Instance, box: BoxXywhPx, category: Category, image: ImageRecord) -> list[Finding]:
    where = f"{image.file_name}: annotation {instance.id} ('{category.name}')"
    side = max(box[2], box[3])
    beyond = dict(_beyond(instance, box, category.keypoints, image))
    outside = [name for name, distance in beyond.items() if distance > _OUTSIDE_SHARE * side]
    if len(outside) >= 2 and 2 * len(outside) > instance.num_labelled:
        message = (
            f"{where}: {len(outside)} of {instance.num_labelled} labelled points lie outside its box "
            f"{_numbers(box)}; expected most of them inside. Look at it."
        )
        return [finding("box-keypoints-mismatch", message, image=image.file_name, annotation_id=instance.id)]
    return [
        finding(
            "keypoint-far-from-box",
            f"{where}: point '{name}' is {distance:.0f} px out of its box {_numbers(box)}. Look at it.",
            image=image.file_name,
            annotation_id=instance.id,
        )
        for name, distance in beyond.items()
        if distance > _FAR_SHARE * side
    ]


def _beyond(
    instance: Instance, box: BoxXywhPx, names: Sequence[str], image: ImageRecord
) -> Iterator[tuple[str, float]]:
    """Labelled points with their distance to the box; those outside the image have a finding of their own."""
    for name, (x, y, v) in zip(names, instance.keypoints_xyv, strict=False):
        inside = not image.width or (0 <= x <= image.width and 0 <= y <= image.height)
        if v > 0 and inside:
            yield name, max(box[0] - x, x - box[0] - box[2], box[1] - y, y - box[1] - box[3], 0.0)


def _check_segmentation(instance: Instance, box: BoxXywhPx, category: Category, image: ImageRecord) -> list[Finding]:
    drawn = segmentation_box(instance)
    if drawn is None:
        return []
    a, b = (clip_box(each, image.width, image.height) if image.width else each for each in (box, drawn))
    edges = (a[0] - b[0], a[1] - b[1], a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3])
    if min(*a[2:], *b[2:]) <= 0 or iou(a, b) >= _LEAST_IOU or max(map(abs, edges)) <= _LEAST_EDGE_PX:
        return []
    message = (
        f"{image.file_name}: annotation {instance.id} ('{category.name}'): box {_numbers(box)}; the extent of its "
        f"segmentation is {_numbers(drawn)}. Look at it."
    )
    return [finding("box-segmentation-mismatch", message, image=image.file_name, annotation_id=instance.id)]


def _numbers(box: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in box)
