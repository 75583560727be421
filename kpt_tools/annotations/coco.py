"""COCO keypoint JSON -> `Dataset` and back.

Reads both exporters of coco-annotator, Roboflow and plain COCO. Raw dicts stop here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from kpt_tools.annotations.coco_categories import parse_categories
from kpt_tools.annotations.coco_objects import parse_object
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, Report
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json

MAX_SIDE_PX = 10_000_000
"""No picture is larger; a number beyond is a mistake."""
_ROOT_LISTS = ("images", "categories", "annotations")


def read_coco(path: Path) -> tuple[Dataset, Report]:
    """Read a COCO JSON file; see `parse_coco`.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: it is not JSON, or not COCO.
    """
    return parse_coco(read_json(path, what="COCO JSON"), str(path))


def parse_coco(raw: object, source: str) -> tuple[Dataset, Report]:
    """Turn parsed JSON into a `Dataset`, with a report of all that had to be left out or corrected.

    Every instance of the result belongs to an image and a category of the result, has a finite box with a
    positive size or None, and as many keypoints as its category, or none.

    Args:
        raw: what `json.load` returned.
        source: the file's name, for messages.

    Raises:
        DataError: not COCO at all: no object, or one of its three lists is missing.
    """
    root = root_lists(raw, source)
    name = PurePath(source).name
    report = Report()
    images = _parse_images(root["images"], name, report)
    found = parse_categories(root["categories"], root["annotations"], name, report)
    instances = _parse_objects(root["annotations"], images, found.by_id, name, report)
    _note_unused(found.categories, instances, name, report)
    return Dataset(tuple(images.values()), found.categories, instances, source), report


def root_lists(raw: object, source: str) -> dict[str, list[Any]]:
    """The three lists of a COCO file.

    Raises:
        DataError: `raw` is no object, or one of the lists is missing or no list.
    """
    if not isinstance(raw, dict):
        raise DataError(
            f"{source}: found {_kind(raw)} at the top; expected a COCO object with the lists "
            f"{', '.join(_ROOT_LISTS)}. Export it from coco-annotator as COCO."
        )
    for key in _ROOT_LISTS:
        if not isinstance(raw.get(key), list):
            what = f"'{key}' is {_kind(raw[key])}" if key in raw else f"there is no '{key}'"
            raise DataError(
                f"{source}: {what}; expected a COCO object with the lists {', '.join(_ROOT_LISTS)}. "
                "Export it from coco-annotator as COCO."
            )
    return {key: raw[key] for key in _ROOT_LISTS}


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _parse_images(rows: Sequence[object], source: str, report: Report) -> dict[int, ImageRecord]:
    images: dict[int, ImageRecord] = {}
    for index, row in enumerate(rows):
        image = _parse_image(row, f"{source}: images[{index}]", report)
        if image is None:
            continue
        if image.id in images:
            message = (
                f"{source}: images[{index}]: id {image.id} is already that of '{images[image.id].file_name}'; "
                "expected an id of its own. Left out."
            )
            report.extend([finding("image-id-duplicate", message, image=image.file_name)])
            continue
        images[image.id] = image
    return images


def _parse_image(row: object, where: str, report: Report) -> ImageRecord | None:
    if not isinstance(row, dict):
        report.extend([finding("entry-not-object", f"{where}: is {_kind(row)}; expected an object. Left out.")])
        return None
    image_id, file_name = as_int(row.get("id")), as_text(row.get("file_name"))
    if image_id is None:
        message = f"{where}: id is {shown(row.get('id'))}; expected a whole number. Left out."
        report.extend([finding("image-id-invalid", message, image=file_name)])
        return None
    if not file_name:
        message = f"{where}: file_name is {shown(row.get('file_name'))}; expected a file name. Left out."
        report.extend([finding("image-file-name-missing", message)])
        return None
    width, height = as_int(row.get("width")) or 0, as_int(row.get("height")) or 0
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        message = (
            f"{where}: '{file_name}': width, height are {shown(row.get('width'))}, {shown(row.get('height'))}; "
            "expected two positive numbers of pixels. Those of the file are taken."
        )
        report.extend([finding("image-size-missing", message, image=file_name)])
        width = height = 0
    return ImageRecord(image_id, file_name, width, height, as_text(row.get("path")))


def _parse_objects(
    rows: Sequence[object],
    images: dict[int, ImageRecord],
    category_by_id: dict[int, Category],
    source: str,
    report: Report,
) -> tuple[Instance, ...]:
    instances: dict[int, Instance] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            message = f"{source}: annotations[{index}]: is {_kind(row)}; expected an object. Left out."
            report.extend([finding("entry-not-object", message)])
            continue
        instance = parse_object(row, index, images, category_by_id, source, report)
        if instance is None:
            continue
        if instance.id in instances:
            message = (
                f"{source}: annotations[{index}]: id {instance.id} is already that of an object of image "
                f"{instances[instance.id].image_id}; expected an id of its own. Left out."
            )
            image = images[instance.image_id].file_name
            report.extend([finding("annotation-id-duplicate", message, image=image, annotation_id=instance.id)])
            continue
        instances[instance.id] = instance
    _note_uncounted(rows, source, report)
    return tuple(instances.values())


def _note_uncounted(rows: Sequence[object], source: str, report: Report) -> None:
    with_points = [row for row in rows if isinstance(row, dict) and row.get("keypoints")]
    uncounted = sum(row.get("num_keypoints") is None for row in with_points)
    if uncounted:
        message = f"{source}: {uncounted} of {len(with_points)} objects with keypoints have no num_keypoints. Counted."
        report.extend([finding("num-keypoints-absent", message)])


def _note_unused(categories: Sequence[Category], instances: Sequence[Instance], source: str, report: Report) -> None:
    used = {instance.category_id for instance in instances}
    for category in categories:
        if category.id not in used:
            message = f"{source}: category '{category.name}' has no objects; it keeps its place in the label map."
            report.extend([finding("category-unused", message)])


def to_coco(dataset: Dataset) -> dict[str, Any]:
    """The data set as plain COCO; `parse_coco` reads it back to the same entities.

    Skeletons are 1-based, `iscrowd` is 0 or 1, `num_keypoints` counts v > 0, a missing box is ``[0, 0, 0, 0]``.
    """
    return {
        "images": [_image_dict(image) for image in dataset.images],
        "categories": [_category_dict(category) for category in dataset.categories],
        "annotations": [_object_dict(instance) for instance in dataset.instances],
    }


def _image_dict(image: ImageRecord) -> dict[str, Any]:
    row = {"id": image.id, "file_name": image.file_name, "width": image.width, "height": image.height}
    return {**row, "path": image.source_path} if image.source_path else row


def _category_dict(category: Category) -> dict[str, Any]:
    row: dict[str, Any] = {"id": category.id, "name": category.name, "supercategory": category.supercategory}
    if category.keypoints:
        row["keypoints"] = list(category.keypoints)
        row["skeleton"] = [[a + 1, b + 1] for a, b in category.skeleton]
    return row


def _object_dict(instance: Instance) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": instance.id,
        "image_id": instance.image_id,
        "category_id": instance.category_id,
        "segmentation": [list(polygon) for polygon in instance.segmentation],
        "area": instance.area_px,
        "bbox": list(instance.box_xywh_px or (0.0, 0.0, 0.0, 0.0)),
        "iscrowd": int(instance.iscrowd),
        "num_keypoints": instance.num_labelled,
    }
    if instance.keypoints_xyv:
        row["keypoints"] = [value for point in instance.keypoints_xyv for value in point]
    return row
