"""Repairs of boxes, areas and segmentations."""

from __future__ import annotations

from collections.abc import Callable

from kpt_tools.annotations.checks.boxes import check_boxes, segmentation_box
from kpt_tools.annotations.geometry import (
    MIN_SIDE_PX,
    BoxPolicy,
    box_of_keypoints,
    clip_box,
    fit_instance,
    pairs_apart,
)
from kpt_tools.annotations.json_values import as_int, as_number, as_numbers
from kpt_tools.annotations.repairs.draft import Draft, ReadObject
from kpt_tools.entities import BoxXywhPx

_NO_BOX = [0, 0, 0, 0]
_HUGE_PX = 1e9


def correct_boxes(draft: Draft) -> None:
    """Negative sizes are turned round; of other invalid boxes the segmentation gives the box, or there is none."""
    for found in draft.objects:
        value = found.row.get("bbox")
        if value in (None, []) or found.instance.box_xywh_px is not None:
            continue
        numbers = as_numbers(value)
        if numbers is not None and len(numbers) == 4 and not any(numbers):
            continue
        turned = _turned(numbers) if numbers is not None and len(numbers) == 4 else None
        draft.set("box-invalid", found, "bbox", _tidy(turned or segmentation_box(found.instance)) or _NO_BOX)


def make_boxes(draft: Draft, code: str = "box-missing") -> None:
    """Objects without a box get that of their segmentation or keypoints; with neither they are removed."""
    _remake(draft, code, lambda found: found.instance.box_xywh_px is None)


def remake_outside(draft: Draft) -> None:
    """Boxes wholly outside the image are made anew, as those that are missing."""
    _remake(draft, "box-outside", lambda found: _trouble(found) == "box-outside")


def remake_small(draft: Draft) -> None:
    """Boxes below a pixel are made anew, as those that are missing."""
    _remake(draft, "box-too-small", lambda found: _trouble(found) == "box-too-small")


def cut_rounding(draft: Draft) -> None:
    """Boxes that reach out by a pixel at most are cut at the border."""
    _cut(draft, "box-rounding")


def cut_boxes(draft: Draft) -> None:
    """Boxes that reach out are cut at the border."""
    _cut(draft, "box-clipped")


def boxes_of_segmentations(draft: Draft) -> None:
    """A box that is not the extent of its segmentation becomes it."""
    wrong = {f.annotation_id for f in check_boxes(draft.dataset) if f.code == "box-segmentation-mismatch"}
    for found in draft.objects:
        box = segmentation_box(found.instance)
        if found.instance.id in wrong and box is not None:
            draft.set("box-segmentation-mismatch", found, "bbox", _tidy(_inside(box, found)))


def join_box_and_points(draft: Draft) -> None:
    """A box and the keypoints of one object, drawn as two annotations, become one: that of the box."""
    objects = {found.instance.id: found for found in draft.objects}
    for image in draft.dataset.images:
        for box, points in pairs_apart(draft.dataset.instances_of_image[image.id]):
            target, source = objects[box.id], objects[points.id].row
            target.row["num_keypoints"] = points.num_labelled
            draft.set("box-keypoints-apart", target, "keypoints", source["keypoints"])
            draft.remove("box-keypoints-apart", "annotations", [source], f"its points went to annotation {box.id}")


def correct_areas(draft: Draft) -> None:
    """Areas that are no number from 0 up become that of the box."""
    for found in draft.objects:
        value = found.row.get("area")
        number = 0.0 if value is None else as_number(value)
        if number is None or number < 0:
            draft.set("area-invalid", found, "area", _area(found))


def add_areas(draft: Draft) -> None:
    """Areas that are absent or 0 become that of the box."""
    for found in draft.objects:
        value = found.row.get("area")
        if (value is None or as_number(value) == 0) and _area(found) > 0:
            draft.set("area-missing", found, "area", _area(found))


def correct_crowds(draft: Draft) -> None:
    """`iscrowd` of another value than true, false, 0, 1 becomes 0."""
    for found in draft.objects:
        value = found.row.get("iscrowd")
        if value is not None and not isinstance(value, bool) and as_int(value) not in (0, 1):
            draft.set("iscrowd-invalid", found, "iscrowd", 0)


def clean_segmentations(draft: Draft) -> None:
    """Of a segmentation only the polygons are kept."""
    for found in draft.objects:
        value = found.row.get("segmentation")
        if value is None or isinstance(value, dict) or _is_flat(value):
            continue
        polygons = [list(polygon) for polygon in found.instance.segmentation]
        if not isinstance(value, list) or len(polygons) < len(value):
            draft.set("segmentation-invalid", found, "segmentation", polygons)


def _is_flat(value: object) -> bool:
    """One polygon written as a flat list of numbers is honest."""
    numbers = as_numbers(value)
    return numbers is not None and len(numbers) >= 6 and len(numbers) % 2 == 0


def _turned(box: list[float]) -> BoxXywhPx | None:
    x, y, w, h = box
    if not w or not h:
        return None
    return min(x, x + w), min(y, y + h), abs(w), abs(h)


def _inside(box: BoxXywhPx, found: ReadObject) -> BoxXywhPx:
    return clip_box(box, found.image.width, found.image.height) if found.image.width else box


def _remake(draft: Draft, code: str, wanted: Callable[[ReadObject], bool]) -> None:
    lost = []
    for found in draft.objects:
        if wanted(found):
            box = _made(found)
            if box is None:
                lost.append(found.row)
            else:
                draft.set(code, found, "bbox", _tidy(box))
    draft.remove(code, "annotations", lost, "it has neither a segmentation nor keypoints to make a box of")


def _made(found: ReadObject) -> BoxXywhPx | None:
    drawn = segmentation_box(found.instance)
    if drawn is not None and min(_inside(drawn, found)[2:]) >= MIN_SIDE_PX:
        return _inside(drawn, found)
    width, height = found.image.width or _HUGE_PX, found.image.height or _HUGE_PX
    return box_of_keypoints(found.instance.keypoints_xyv, width, height, BoxPolicy.padding)


def _trouble(found: ReadObject) -> str:
    """The finding about an object's box, or ""."""
    if found.instance.box_xywh_px is None or not found.image.width:
        return ""
    _, told = fit_instance(found.instance, found.category, found.image.width, found.image.height, BoxPolicy())
    return next((f.code for f in told if f.code.startswith("box-")), "")


def _cut(draft: Draft, code: str) -> None:
    for found in draft.objects:
        box = found.instance.box_xywh_px
        if box is not None and _trouble(found) == code:
            draft.set(code, found, "bbox", _tidy(_inside(box, found)))


def _area(found: ReadObject) -> float:
    box = found.instance.box_xywh_px
    return 0.0 if box is None else round(box[2] * box[3], 2)


def _tidy(box: BoxXywhPx | None) -> list[float] | None:
    """A box with two decimals; what ended at a whole number, such as the border of the image, still does."""
    if box is None:
        return None
    left, top, right, bottom = (round(value, 2) for value in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    return [left, top, round(right - left, 2), round(bottom - top, 2)]
