"""The task export of coco-annotator, written the way that program writes it.

Keys, their order and their types are those of real exports whose annotator had no account name: no
``info`` and no ``licenses``, ids from a database that already held other things, a base name in
``file_name`` and the folder in ``path`` only, a boolean ``iscrowd``, a drawn box as a polygon of four
corners with ``isbbox``, its area in ``area``, keypoints in whole pixels, a skeleton counted from 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kpt_tools.demo.geometry import KEYPOINTS, SKELETON_1BASED
from kpt_tools.demo.scene import SceneObject

CATEGORY_NAME = "pliers"
CATEGORY_ID = 15
FIRST_IMAGE_ID = 252
FIRST_ANNOTATION_ID = 109
DATASET_ID = 6
DATASET_FOLDER = "/datasets/pliers-demo"
_KEYPOINT_COLORS = ("#bf5c4d", "#d99100", "#4d8068", "#0d2b80", "#9c73bf")


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One picture as it was saved, with its objects and a display colour (``#rrggbb``) for each."""

    file_name: str
    width: int
    height: int
    objects: tuple[SceneObject, ...]
    colors: tuple[str, ...]


def to_export(images: Sequence[AnnotatedImage]) -> dict[str, Any]:
    """The root object of the export."""
    annotations: list[dict[str, Any]] = []
    for image_id, image in enumerate(images, FIRST_IMAGE_ID):
        for found, color in zip(image.objects, image.colors, strict=True):
            annotations.append(_annotation(FIRST_ANNOTATION_ID + len(annotations), image_id, found, color))
    return {
        "images": [_image(image_id, image) for image_id, image in enumerate(images, FIRST_IMAGE_ID)],
        "categories": [_category()],
        "annotations": annotations,
    }


def _image(image_id: int, image: AnnotatedImage) -> dict[str, Any]:
    return {
        "id": image_id,
        "dataset_id": DATASET_ID,
        "category_ids": [CATEGORY_ID] if image.objects else [],
        "path": f"{DATASET_FOLDER}/{image.file_name}",
        "width": image.width,
        "height": image.height,
        "file_name": image.file_name,
        "annotated": bool(image.objects),
        "annotating": [],
        "num_annotations": len(image.objects),
        "metadata": {},
        "deleted": False,
        "milliseconds": 0,
        "events": [],
        "regenerate_thumbnail": False,
    }


def _category() -> dict[str, Any]:
    return {
        "id": CATEGORY_ID,
        "name": CATEGORY_NAME,
        "supercategory": "",
        "color": "#dae182",
        "metadata": {},
        "keypoint_colors": list(_KEYPOINT_COLORS),
        "keypoints": list(KEYPOINTS),
        "skeleton": [list(edge) for edge in SKELETON_1BASED],
    }


def _annotation(annotation_id: int, image_id: int, found: SceneObject, color: str) -> dict[str, Any]:
    """Box, area and bbox follow from the drawn corners, as in coco-annotator: whole pixels, halves upwards."""
    x1, y1, x2, y2 = (_drawn(value) for value in found.box_xyxy_px)
    left, top, right, bottom = (math.floor(value + 0.5) for value in (x1, y1, x2, y2))
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": CATEGORY_ID,
        "segmentation": [[x2, y1, x2, y2, x1, y2, x1, y1]],
        "area": (right - left) * (bottom - top),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": False,
        "isbbox": True,
        "color": color,
        "keypoints": [value for keypoint in found.keypoints_xyv for value in keypoint],
        "metadata": {},
        "num_keypoints": sum(visibility > 0 for _, _, visibility in found.keypoints_xyv),
    }


def _drawn(value: float) -> float:
    """A tenth of a pixel; whole numbers without a fraction, as JavaScript writes them."""
    tenth = round(value, 1)
    return int(tenth) if tenth == int(tenth) else tenth
