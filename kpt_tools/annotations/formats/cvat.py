"""CVAT's "COCO Keypoints 1.0".

Plain COCO with habits of its own: ``attributes`` beside the annotations, class ids 1..C, v = 0 for points "outside" and
1 for "occluded" ones, and a box that is the extent of the points unless a rectangle was grouped with the skeleton.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import (
    Format,
    ReadOptions,
    WriteOptions,
    Written,
    box_around,
    inexpressible,
    losses,
    points_of,
)
from kpt_tools.annotations.formats.plain_coco import as_json, image_places
from kpt_tools.entities import BoxXywhPx, Category, Dataset, Finding, Instance, Report
from kpt_tools.fsio import read_json

NAME = "cvat"
FILE_NAME = "annotations/person_keypoints_default.json"
_OWN_ATTRIBUTES = frozenset({"occluded", "keyframe", "rotation", "track_id"})
_TOLERANCE_PX = 0.02


def read(path: Path, options: ReadOptions) -> tuple[Dataset, Report]:
    """Read the JSON of an unpacked export.

    Raises:
        ConfigError: there is no such file.
        DataError: it is not COCO.
    """
    return parse(read_json(path, what="JSON of CVAT's COCO Keypoints"), str(path))


def parse(raw: object, source: str) -> tuple[Dataset, Report]:
    """The data set of a parsed export.

    Raises:
        DataError: it is not COCO.
    """
    dataset, report = parse_coco(raw, source)
    annotations = raw["annotations"] if isinstance(raw, dict) else []
    attributes = sum(_has_attributes(row) for row in annotations)
    if attributes:
        message = f"{source}: {attributes} objects have attributes of their own, which are left away."
        report.extend([finding("attribute-lost", message)])
    computed = sum(_is_extent(instance) for instance in dataset.instances)
    if computed:
        message = f"{source}: the boxes of {computed} objects are just the extent of their points."
        report.extend([finding("box-is-extent", message)])
    return dataset, report


def _has_attributes(row: object) -> bool:
    attributes = row.get("attributes") if isinstance(row, dict) else None
    return isinstance(attributes, dict) and bool(set(attributes) - _OWN_ATTRIBUTES)


def _is_extent(instance: Instance) -> bool:
    box, extent = instance.box_xywh_px, _extent(instance)
    if box is None or extent is None:
        return False
    return all(abs(a - b) <= _TOLERANCE_PX for a, b in zip(box, extent, strict=True))


def _extent(instance: Instance) -> BoxXywhPx | None:
    labelled = [point for point in instance.keypoints_xyv if point[2] > 0]
    return box_around((x for x, _, _ in labelled), (y for _, y, _ in labelled))


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """The layout of an export: annotations/person_keypoints_default.json and images/default/."""
    content, findings = format_cvat(dataset)
    return Written({FILE_NAME: as_json(content)}, image_places(dataset, "images/default"), tuple(findings))


def format_cvat(dataset: Dataset) -> tuple[dict[str, Any], list[Finding]]:
    """The data set as CVAT writes and reads it; objects without a skeleton are left out (told)."""
    findings = losses(dataset, "CVAT", crowd=True, segmentation=True)
    ids = {category.id: number for number, category in enumerate(dataset.categories, start=1)}
    names = {image.id: image.file_name for image in dataset.images}
    annotations = []
    for instance in dataset.instances:
        category = dataset.category_by_id[instance.category_id]
        if instance.num_labelled:
            annotations.append(_annotation(instance, category, ids[category.id]))
        else:
            why = "no labelled points, and CVAT's keypoint format holds skeletons only"
            findings.append(inexpressible(instance, category, names[instance.image_id], why))
    info = dict.fromkeys(("contributor", "date_created", "description", "url", "version", "year"), "")
    content = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": info,
        "categories": [_category(category, ids[category.id]) for category in dataset.categories],
        "images": [_image(row.id, row.file_name, row.width, row.height) for row in dataset.images],
        "annotations": annotations,
    }
    return content, findings


def _category(category: Category, number: int) -> Mapping[str, Any]:
    return {
        "id": number,
        "name": category.name,
        "supercategory": category.supercategory,
        "keypoints": list(category.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in category.skeleton],
    }


def _image(image_id: int, file_name: str, width: int, height: int) -> Mapping[str, Any]:
    size = {"id": image_id, "width": width, "height": height, "file_name": file_name}
    return {**size, "license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}


def _annotation(instance: Instance, category: Category, category_id: int) -> Mapping[str, Any]:
    """One skeleton; without a drawn box CVAT itself takes the extent of the points."""
    box = instance.box_xywh_px or _extent(instance) or (0.0, 0.0, 0.0, 0.0)
    return {
        "id": instance.id,
        "image_id": instance.image_id,
        "category_id": category_id,
        "segmentation": [],
        "area": instance.area_px or box[2] * box[3],
        "bbox": list(box),
        "iscrowd": 0,
        "attributes": {"occluded": False, "keyframe": False},
        "keypoints": [value for point in points_of(instance, category) for value in point],
        "num_keypoints": instance.num_labelled,
    }


FORMAT = Format(NAME, read, write, upright=True, is_file=True)
