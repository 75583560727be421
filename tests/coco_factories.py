"""Fresh COCO dicts and image files for tests."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48


def image_dict(image_id: int = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": image_id, "file_name": f"img{image_id}.jpg", "width": WIDTH, "height": HEIGHT}
    return {**row, **changes}


def category_dict(category_id: int = 7, **changes: Any) -> dict[str, Any]:
    row = {"id": category_id, "name": "plier", "supercategory": "", "keypoints": ["tip", "heel"], "skeleton": [[1, 2]]}
    return {**row, **changes}


def object_dict(object_id: int = 11, **changes: Any) -> dict[str, Any]:
    """A sound object in the middle of a 64x48 image."""
    row = {
        "id": object_id,
        "image_id": 1,
        "category_id": 7,
        "bbox": [10, 8, 30, 20],
        "area": 500,
        "iscrowd": False,
        "segmentation": [[10, 8, 40, 8, 40, 28, 10, 28]],
        "keypoints": [12, 10, 2, 30, 20, 1],
        "num_keypoints": 2,
    }
    return {**row, **changes}


def coco_dict(**changes: Any) -> dict[str, Any]:
    """One image, one class with two keypoints, one sound object: no findings."""
    return {"images": [image_dict()], "categories": [category_dict()], "annotations": [object_dict()], **changes}


def many_dict(count: int, **changes: Any) -> dict[str, Any]:
    """`count` images with one sound object each."""
    numbers = range(1, count + 1)
    images = [image_dict(n) for n in numbers]
    return coco_dict(images=images, annotations=[object_dict(100 + n, image_id=n) for n in numbers], **changes)


def pixels(width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> np.ndarray:
    """Smooth RGB noise, so that JPEG keeps it nearly."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: Image.Image | None = None, format: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(pixels())).save(buffer, format, **options)
    return buffer.getvalue()


def write_project(folder: Path, coco: dict[str, Any]) -> tuple[Path, Path]:
    """Write the JSON and a good JPEG per image; returns both paths."""
    annotations, images = folder / "annotations.json", folder / "images"
    images.mkdir(parents=True)
    annotations.write_text(json.dumps(coco), encoding="utf-8")
    for row in coco["images"]:
        path = images / row["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(Image.fromarray(pixels(row["width"], row["height"], seed=row["id"]))))
    return annotations, images
