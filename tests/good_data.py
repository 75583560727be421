"""A good data set: nothing to complain of."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from coco_factories import encoded
from PIL import Image

IMAGES = 24
WIDTH, HEIGHT = 160, 120
NAMES = ["nose", "left_ear", "right_ear", "left_hip", "right_hip", "tail"]
# An animal from above; left and right tell in which way it looks.
_SHAPE = np.array([[0, -30], [-10, -20], [10, -20], [-12, 18], [12, 18], [0, 28]], float)

Raw = dict[str, Any]


def good_json() -> Raw:
    """24 images with one animal each, all different, and nothing to complain of."""
    rng = np.random.default_rng(5)
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        images.append({"id": number, "file_name": f"frame{number:03d}.jpg", "width": WIDTH, "height": HEIGHT})
        annotations.append(_animal(100 + number, number, rng))
    category = {"id": 3, "name": "mouse", "supercategory": "", "keypoints": list(NAMES),
                "skeleton": [[1, 2], [1, 3], [4, 6], [5, 6]]}  # fmt: skip
    return {"images": images, "categories": [category], "annotations": annotations}


def _animal(object_id: int, image_id: int, rng: np.random.Generator) -> Raw:
    angle = rng.uniform(0, 2 * math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = (_SHAPE + rng.normal(0, 0.8, _SHAPE.shape)) @ turn.T + [WIDTH / 2, HEIGHT / 2] + rng.uniform(-15, 15, 2)
    points = np.round(points)
    left, top = (points.min(axis=0) - 5).tolist()
    right, bottom = (points.max(axis=0) + 5).tolist()
    return {
        "id": object_id,
        "image_id": image_id,
        "category_id": 3,
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": False,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        "keypoints": [value for x, y in points.tolist() for value in (x, y, 2)],
        "num_keypoints": len(NAMES),
    }


def write_good(folder: Path) -> None:
    """The good data set as files: ``annotations.json`` and ``images/``."""
    raw = good_json()
    (folder / "images").mkdir(parents=True)
    for row in raw["images"]:
        (folder / "images" / row["file_name"]).write_bytes(jpeg(picture(row["id"])))
    (folder / "annotations.json").write_text(json.dumps(raw), encoding="utf-8")


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Smooth patches, different for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    return encoded(image, "JPEG", **options)
