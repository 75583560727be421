"""A data set as tasks for Label Studio, with the labelling configuration that fits.

A keypoint names its rectangle by ``parentID``. Label Studio has no visibility: a hidden point (v = 1) carries the note
"occluded" in its ``meta``, which is shown there and comes back in an export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import WriteOptions, Written, losses, needs_box
from kpt_tools.annotations.formats.label_studio_regions import OCCLUDED
from kpt_tools.annotations.formats.plain_coco import as_json, image_places
from kpt_tools.entities import Category, Dataset, Finding, ImageRecord, Instance

NAME = "label-studio"
TASKS_NAME = "tasks.json"
CONFIG_NAME = "label_config.xml"
_POINT_PERCENT = 0.5


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """tasks.json and label_config.xml. An image whose size is not known, or an object without box, is left out."""
    findings = losses(dataset, "Label Studio", skeleton=True, segmentation=True, crowd=True)
    tasks = []
    for image in dataset.images:
        if not (image.width and image.height):
            message = f"{image.file_name}: its width and height are not known; left out. Use --images."
            findings.append(finding("image-size-unknown", message, image=image.file_name))
            continue
        results: list[Mapping[str, Any]] = []
        for instance in dataset.instances_of_image[image.id]:
            results += _regions(instance, dataset.category_by_id[instance.category_id], image, findings)
        url = options.image_url + quote(image.file_name)
        annotation = {"result": results, "was_cancelled": False, "ground_truth": False}
        data = {"image": url, "width": image.width, "height": image.height}
        tasks.append({"id": image.id, "data": data, "annotations": [annotation]})
    files: dict[str, str | bytes] = {TASKS_NAME: as_json(tasks), CONFIG_NAME: label_config(dataset)}
    return Written(files, image_places(dataset), tuple(findings))


def label_config(dataset: Dataset) -> str:
    """The labelling configuration: one rectangle label per class, one keypoint label per keypoint name.

    Label Studio's own exporters to COCO and YOLO refuse keypoints without ``model_index``, by which they order them.
    """
    points = dict.fromkeys(name for category in dataset.categories for name in category.keypoints)
    rows = [
        "<View>",
        '  <Image name="image" value="$image"/>',
        '  <RectangleLabels name="box" toName="image">',
        *(f"    <Label value={quoteattr(category.name)}/>" for category in dataset.categories),
        "  </RectangleLabels>",
        '  <KeyPointLabels name="point" toName="image">',
        *(f'    <Label value={quoteattr(name)} model_index="{index}"/>' for index, name in enumerate(points)),
        "  </KeyPointLabels>",
        "</View>",
    ]
    return "\n".join(rows) + "\n"


def _regions(
    instance: Instance, category: Category, image: ImageRecord, findings: list[Finding]
) -> list[Mapping[str, Any]]:
    if instance.box_xywh_px is None:
        findings.append(needs_box(instance, category, image.file_name, "Label Studio"))
        return []
    x, y, w, h = instance.box_xywh_px
    width, height = image.width, image.height
    box_id = f"box_{instance.id}"
    box = {"x": 100 * x / width, "y": 100 * y / height, "width": 100 * w / width, "height": 100 * h / height}
    rows = [_region(box_id, "rectanglelabels", "box", {**box, "rotation": 0}, category.name, image)]
    for name, (px, py, v) in zip(category.keypoints, instance.keypoints_xyv, strict=False):
        if v > 0:
            value = {"x": 100 * px / width, "y": 100 * py / height, "width": _POINT_PERCENT}
            row = _region(f"{box_id}_{name}", "keypointlabels", "point", value, name, image)
            note = {"meta": {"text": [OCCLUDED]}} if v == 1 else {}
            rows.append({**row, "parentID": box_id, **note})
    return rows


def _region(
    region_id: str, kind: str, tag: str, value: Mapping[str, Any], label: str, image: ImageRecord
) -> Mapping[str, Any]:
    return {
        "id": region_id,
        "type": kind,
        "from_name": tag,
        "to_name": "image",
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "value": {**value, kind: [label]},
    }
