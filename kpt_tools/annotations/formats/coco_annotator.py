"""coco-annotator: its exports, and pre-annotations that its importer really keeps.

The importer finds images by exact ``file_name`` (a base name) and classes by name whatever their case. It stores box
and area only of annotations with a ``segmentation``, and nothing of those with neither segmentation nor keypoints.
``iscrowd``, ``metadata`` and ``id`` are not taken over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from kpt_tools.annotations.coco import to_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import Format, WriteOptions, Written, corners, inexpressible, losses, points_of
from kpt_tools.annotations.formats.plain_coco import as_json, image_places, read
from kpt_tools.entities import Category, Dataset, Finding, Instance

NAME = "coco-annotator"
FILE_NAME = "pre_annotations.json"


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """One JSON for `POST /api/dataset/<id>/coco`, or for the page of the data set."""
    content, findings = import_ready(dataset)
    return Written({FILE_NAME: as_json(content)}, image_places(dataset), tuple(findings))


def import_ready(dataset: Dataset) -> tuple[dict[str, Any], list[Finding]]:
    """The data set as the importer wants it.

    Objects without box, polygon and labelled points are left out (told), as are images whose base names are not
    unique: the importer would give their objects to nobody, or to the wrong image.
    """
    names = {image.id: PurePosixPath(image.file_name).name for image in dataset.images}
    counts = Counter(names.values())
    findings = losses(dataset, NAME, crowd=True)
    images = []
    for image, row in zip(dataset.images, to_coco(dataset)["images"], strict=True):
        if counts[names[image.id]] > 1:
            findings.append(_shared(image.file_name, counts[names[image.id]]))
        else:
            images.append({**row, "file_name": names[image.id]})
    kept = {row["id"] for row in images}
    annotations = []
    for instance in dataset.instances:
        category = dataset.category_by_id[instance.category_id]
        if instance.image_id not in kept:
            continue
        if instance.box_xywh_px or instance.segmentation or instance.num_labelled:
            annotations.append(annotation_dict(instance, category))
        else:
            why = "neither box nor labelled points, so the importer would leave it out"
            findings.append(inexpressible(instance, category, names[instance.image_id], why))
    return {"images": images, "categories": _categories(dataset), "annotations": annotations}, findings


def annotation_dict(instance: Instance, category: Category) -> dict[str, Any]:
    """One annotation that survives the import; `area` is whole, as the importer's data base has it."""
    row: dict[str, Any] = {
        "id": instance.id,
        "image_id": instance.image_id,
        "category_id": instance.category_id,
        "segmentation": [list(polygon) for polygon in instance.segmentation],
        "area": round(instance.area_px),
        "bbox": list(instance.box_xywh_px or (0, 0, 0, 0)),
        "iscrowd": instance.iscrowd,
        "isbbox": False,
        "color": _color(category.name),
        "metadata": {},
    }
    if instance.box_xywh_px and not instance.segmentation:
        box = instance.box_xywh_px
        row["segmentation"] = [list(corners(box))]
    if instance.box_xywh_px and row["segmentation"] == [list(corners(instance.box_xywh_px))]:
        row["isbbox"] = True
        row["area"] = max(1, round(instance.area_px or instance.box_xywh_px[2] * instance.box_xywh_px[3]))
    if category.keypoints:
        row["keypoints"] = [value for point in points_of(instance, category) for value in point]
        row["num_keypoints"] = instance.num_labelled
    return row


def _categories(dataset: Dataset) -> list[Mapping[str, Any]]:
    return [{**row, "color": _color(row["name"]), "metadata": {}} for row in to_coco(dataset)["categories"]]


def _color(name: str) -> str:
    """A colour that a class keeps in all runs; without one the importer draws another for each object."""
    digest = hashlib.blake2b(name.encode(), digest_size=3).digest()
    return "#" + "".join(f"{64 + byte % 160:02x}" for byte in digest)


def _shared(file_name: str, count: int) -> Finding:
    message = (
        f"{file_name}: {count} images have its base name, by which coco-annotator finds images; expected one. "
        "Left out with its objects. Give each a name of its own."
    )
    return finding("pre-annotation-name-shared", message, image=file_name)


FORMAT = Format(NAME, read, write, upright=False, is_file=True)
