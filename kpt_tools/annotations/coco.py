"""COCO keypoint JSON -> `Dataset` and back.

Reads both exporters of coco-annotator, Roboflow and plain COCO. Raw dicts stop here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from kpt_tools.annotations.coco_categories import parse_categories
from kpt_tools.annotations.coco_objects import parse_object
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.json_rows import FileList, OnChunk, nobody, read_rows
from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, Report
from kpt_tools.errors import DataError

MAX_SIDE_PX = 10_000_000
"""No picture is larger; a number beyond is a mistake."""
Keep = Callable[[Instance], int | None]
"""Takes an instance, unless it has one of the same id already: then it returns the image id of that one."""
OnImages = Callable[[Sequence[ImageRecord]], None]
_ROOT_LISTS = ("images", "categories", "annotations")


def read_coco(path: Path) -> tuple[Dataset, Report]:
    """Read a COCO JSON file; see `parse_coco`.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: it is not JSON, or not COCO.
    """
    table = _Table()
    dataset, report = stream_coco(path, table.add)
    return replace(dataset, instances=table.instances()), report


def stream_coco(
    path: Path, keep: Keep, on_chunk: OnChunk = nobody, on_images: OnImages = lambda images: None
) -> tuple[Dataset, Report]:
    """`read_coco` with the instances handed over one by one, instead of in the `Dataset`, which has none.

    Args:
        path: the JSON file.
        keep: takes an instance, unless it has one of that id, whose image id it returns then.
        on_chunk: called for each mebibyte read.
        on_images: called with all images of the `Dataset` before the first instance is handed over.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: it is not JSON, or not COCO.
    """
    return _parse(read_rows(path, _ROOT_LISTS, what="COCO JSON", on_chunk=on_chunk), str(path), keep, on_images)


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
    table = _Table()
    dataset, report = _parse(raw, source, table.add)
    return replace(dataset, instances=table.instances()), report


class _Table:
    """Instances in memory, each id once."""

    def __init__(self) -> None:
        self._by_id: dict[int, Instance] = {}

    def add(self, instance: Instance) -> int | None:
        kept = self._by_id.setdefault(instance.id, instance)
        return None if kept is instance else kept.image_id

    def instances(self) -> tuple[Instance, ...]:
        return tuple(self._by_id.values())


def _parse(raw: object, source: str, keep: Keep, on_images: OnImages = lambda images: None) -> tuple[Dataset, Report]:
    root = root_lists(raw, source)
    name = PurePath(source).name
    report = Report()
    image_by_id = _parse_images(root["images"], name, report)
    images = tuple(image_by_id.values())
    on_images(images)
    found = parse_categories(list(root["categories"]), root["annotations"], name, report)
    used = _parse_objects(root["annotations"], image_by_id, found.by_id, name, report, keep)
    _note_unused(found.categories, used, name, report)
    return Dataset(images, found.categories, (), source), report


def root_lists(raw: object, source: str) -> dict[str, Any]:
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
        if not isinstance(raw.get(key), list | FileList):
            what = f"'{key}' is {_kind(raw[key])}" if key in raw else f"there is no '{key}'"
            raise DataError(
                f"{source}: {what}; expected a COCO object with the lists {', '.join(_ROOT_LISTS)}. "
                "Export it from coco-annotator as COCO."
            )
    return {key: raw[key] for key in _ROOT_LISTS}


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _parse_images(rows: Iterable[object], source: str, report: Report) -> dict[int, ImageRecord]:
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
    rows: Iterable[object],
    images: dict[int, ImageRecord],
    category_by_id: dict[int, Category],
    source: str,
    report: Report,
    keep: Keep,
) -> set[int]:
    """Hand all usable objects over; ids of the categories that have any."""
    used: set[int] = set()
    with_points = uncounted = 0
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            message = f"{source}: annotations[{index}]: is {_kind(row)}; expected an object. Left out."
            report.extend([finding("entry-not-object", message)])
            continue
        if row.get("keypoints"):
            with_points += 1
            uncounted += row.get("num_keypoints") is None
        instance = parse_object(row, index, images, category_by_id, source, report)
        if instance is None:
            continue
        known = keep(instance)
        if known is None:
            used.add(instance.category_id)
            continue
        message = (
            f"{source}: annotations[{index}]: id {instance.id} is already that of an object of image "
            f"{known}; expected an id of its own. Left out."
        )
        image = images[instance.image_id].file_name
        report.extend([finding("annotation-id-duplicate", message, image=image, annotation_id=instance.id)])
    if uncounted:
        message = f"{source}: {uncounted} of {with_points} objects with keypoints have no num_keypoints. Counted."
        report.extend([finding("num-keypoints-absent", message)])
    return used


def _note_unused(categories: Sequence[Category], used: set[int], source: str, report: Report) -> None:
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


def coco_rows(
    images: Iterable[ImageRecord], categories: Sequence[Category], instances: Iterable[Instance]
) -> dict[str, Iterable[dict[str, Any]]]:
    """`to_coco` with lists that are made while they are read."""
    return {
        "images": map(_image_dict, images),
        "categories": map(_category_dict, categories),
        "annotations": map(_object_dict, instances),
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
