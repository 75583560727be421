"""One entry of the `annotations` of a COCO file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.json_values import as_int, as_number, as_numbers, plain_numbers, shown
from kpt_tools.entities import BoxXywhPx, Category, ImageRecord, Instance, KeypointXyv, Report

_UNLABELLED: KeypointXyv = (0.0, 0.0, 0)
_SANE_PX = 1e9
_VISIBILITIES = frozenset({0, 1, 2})
_Tell = Callable[[str, str], None]


def parse_object(
    row: Mapping[str, Any],
    index: int,
    image_by_id: Mapping[int, ImageRecord],
    category_by_id: Mapping[int, Category],
    source: str,
    report: Report,
) -> Instance | None:
    """Read one object, or None (told) if it has no id, no known image or no known class."""
    object_id = as_int(row.get("id"))
    image_id, category_id = as_int(row.get("image_id")), as_int(row.get("category_id"))
    image = None if image_id is None else image_by_id.get(image_id)
    category = None if category_id is None else category_by_id.get(category_id)

    def tell(code: str, message: str) -> None:
        where = f"{source}: annotation {object_id}" if object_id is not None else f"{source}: annotations[{index}]"
        name = image.file_name if image else ""
        report.extend([finding(code, f"{where}: {message}", image=name, annotation_id=object_id)])

    if object_id is None:
        tell("annotation-id-invalid", f"id is {shown(row.get('id'))}; expected a whole number. Left out.")
    elif image is None:
        tell("annotation-image-unknown", f"image_id is {shown(row.get('image_id'))}; no such image. Left out.")
    elif category is None:
        message = f"category_id is {shown(row.get('category_id'))}; no such usable category. Left out."
        tell("annotation-category-unknown", message)
    else:
        return _parse_known(row, object_id, image, category, tell)
    return None


def _parse_known(
    row: Mapping[str, Any], object_id: int, image: ImageRecord, category: Category, tell: _Tell
) -> Instance:
    return Instance(
        id=object_id,
        image_id=image.id,
        category_id=category.id,
        box_xywh_px=_box(row.get("bbox"), tell),
        area_px=_area(row.get("area"), tell),
        keypoints_xyv=_keypoints(row, category, tell),
        iscrowd=_iscrowd(row.get("iscrowd"), tell),
        segmentation=_segmentation(row.get("segmentation"), tell),
    )


def _box(value: object, tell: _Tell) -> BoxXywhPx | None:
    """COCO's x, y, width, height; absent, empty and ``[0, 0, 0, 0]`` all mean that none was drawn."""
    if value is None or value == []:
        return None
    numbers = as_numbers(value)
    if numbers is not None and len(numbers) == 4:
        x, y, width, height = numbers
        if width > 0 and height > 0 and max(abs(x), abs(y), width, height) < _SANE_PX:
            return x, y, width, height
        if not any(numbers):
            return None
    tell("box-invalid", f"bbox is {shown(value)}; expected x, y, width, height with a positive size. Taken as missing.")
    return None


def _area(value: object, tell: _Tell) -> float:
    area = 0.0 if value is None else as_number(value)
    if area is None or area < 0:
        tell("area-invalid", f"area is {shown(value)}; expected a number from 0 up. Taken as absent.")
        return 0.0
    return area


def _iscrowd(value: object, tell: _Tell) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    number = as_int(value)
    if number not in (0, 1):
        tell("iscrowd-invalid", f"iscrowd is {shown(value)}; expected 0 or 1. Taken as 0.")
    return number == 1


def _segmentation(value: object, tell: _Tell) -> tuple[tuple[float, ...], ...]:
    """Polygons; some exporters write one as a flat list of numbers."""
    if value is None:
        return ()
    if isinstance(value, dict):
        tell("segmentation-rle", "segmentation is a run-length code; only box and keypoints are used.")
        return ()
    rows = value if isinstance(value, list) else [value]
    if not rows:
        return ()
    if not isinstance(rows[0], list) and all(as_number(item) is not None for item in rows):
        rows = [rows]
    polygons = [as_numbers(row) for row in rows]
    usable = [tuple(p) for p in polygons if p is not None and len(p) >= 6 and len(p) % 2 == 0]
    if len(usable) < len(rows):
        tell("segmentation-invalid", f"segmentation is {shown(value)}; expected polygons as x, y, x, y, ... Left out.")
    return tuple(usable)


def _keypoints(row: Mapping[str, Any], category: Category, tell: _Tell) -> tuple[KeypointXyv, ...]:
    """As many points as the category has; () if the object has none."""
    value = row.get("keypoints")
    if value is not None and not isinstance(value, list):
        tell("keypoints-invalid", f"keypoints are {shown(value)}; expected a list. Taken as none.")
        value = None
    if not value:
        if category.keypoints:
            tell("keypoints-missing", f"no keypoints; '{category.name}' has {len(category.keypoints)}.")
        return ()
    expected = 3 * len(category.keypoints)
    if len(value) != expected:
        _tell_length(value, category, tell)
    points = _sound_points(value, expected) or _points(value, category.keypoints, tell)
    labelled = sum([v > 0 for _, _, v in points])
    if row.get("num_keypoints") is not None and as_int(row["num_keypoints"]) != labelled:
        told = shown(row["num_keypoints"])
        tell("num-keypoints-differs", f"num_keypoints is {told}; {labelled} points have v > 0. Counted anew.")
    return points


def _sound_points(value: list[Any], expected: int) -> tuple[KeypointXyv, ...]:
    """The points, if there is nothing to tell about any of them; else ()."""
    visibilities = value[2::3]
    if len(value) != expected or not plain_numbers(value) or not _VISIBILITIES.issuperset(visibilities):
        return ()
    return tuple(zip(map(float, value[0::3]), map(float, value[1::3]), map(int, visibilities), strict=True))


def _points(value: list[Any], names: Sequence[str], tell: _Tell) -> tuple[KeypointXyv, ...]:
    triples = [value[3 * slot : 3 * slot + 3] for slot in range(len(names))]
    return tuple(_point(triple, name, tell) for triple, name in zip(triples, names, strict=True))


def _tell_length(value: list[Any], category: Category, tell: _Tell) -> None:
    count, expected = len(category.keypoints), 3 * len(category.keypoints)
    message = (
        f"'keypoints' has {len(value)} values; '{category.name}' has {count} points, so {expected} were expected. "
    )
    if len(value) < expected:
        tell("keypoints-short", message + "The rest is taken as not labelled. Save its image again in coco-annotator.")
    else:
        tell("keypoints-long", message + "The surplus is cut off. Save its image again in coco-annotator.")


def _point(triple: list[Any], name: str, tell: _Tell) -> KeypointXyv:
    """One point; a partial or damaged one is not labelled."""
    if len(triple) < 3:
        return _UNLABELLED
    x, y = as_number(triple[0]), as_number(triple[1])
    visibility = as_int(triple[2])
    if visibility not in (0, 1, 2):
        message = f"point '{name}' has visibility {shown(triple[2])}; expected 0, 1 or 2. Taken as not labelled."
        tell("keypoint-visibility-invalid", message)
        return _UNLABELLED
    if x is None or y is None:
        if visibility > 0:
            message = f"point '{name}' is at {shown(triple[:2])}; expected two numbers. Taken as not labelled."
            tell("keypoint-invalid", message)
        return _UNLABELLED
    return x, y, visibility
