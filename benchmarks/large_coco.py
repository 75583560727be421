"""A COCO JSON of any size, with its pictures; written piece by piece."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEYPOINTS = tuple(f"point{number:02d}" for number in range(17))
WIDTH, HEIGHT = 64, 48


def write_project(folder: Path, images: int, objects: int, megabytes: float, *, annotations_first: bool = False) -> int:
    """Write ``annotations.json`` of about `megabytes` and ``images/``; returns the size of the JSON in bytes.

    Each object has 17 keypoints; its polygon has as many points as make the file as large as wanted. With
    `annotations_first`, the list of objects stands before those of images and classes.
    """
    (folder / "images").mkdir(parents=True)
    for number in range(1, images + 1):
        (folder / "images" / _name(number)).write_bytes(_picture(number))
    corners = max(3, round((megabytes * 1e6 - 110 * images) / objects - 420) // 16)
    lists = {"images": _images(images), "categories": _categories(), "annotations": _objects(images, objects, corners)}
    order = sorted(lists) if annotations_first else list(lists)
    path = folder / "annotations.json"
    with path.open("w", encoding="utf-8") as handle:
        for index, key in enumerate(order):
            handle.write(("{" if index == 0 else "], ") + f'"{key}": [')
            for place, row in enumerate(lists[key]):
                handle.write((", " if place else "") + json.dumps(row))
        handle.write("]}\n")
    return path.stat().st_size


def _name(number: int) -> str:
    return f"{number // 1000:05d}_{number % 1000:03d}.jpg"


def _picture(number: int, known: dict[int, bytes] = {}) -> bytes:  # noqa: B006  (a cache)
    """A small JPEG, with a comment that makes it unlike all others."""
    from PIL import Image

    if not known:
        buffer = io.BytesIO()
        Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB").save(buffer, "JPEG", quality=50)
        known[0] = buffer.getvalue()
    comment = f"{number:012d}".encode()
    return known[0][:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + known[0][2:]


def _images(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield {"id": number, "file_name": _name(number), "width": WIDTH, "height": HEIGHT}


def _categories() -> Iterator[dict[str, Any]]:
    yield {"id": 1, "name": "person", "supercategory": "", "keypoints": list(KEYPOINTS), "skeleton": [[1, 2]]}


def _objects(images: int, count: int, corners: int) -> Iterator[dict[str, Any]]:
    """Objects spread over the images; neighbours in the list are of different ones."""
    rng = random.Random(0)
    for number in range(count):
        points = [value for _ in KEYPOINTS for value in (round(rng.uniform(8, 56), 2), round(rng.uniform(6, 42), 2), 2)]
        polygon = [round(rng.uniform(8, 42), 3) for _ in range(2 * corners)]
        yield {
            "id": number + 1,
            "image_id": number * 7919 % images + 1,
            "category_id": 1,
            "bbox": [7, 5, 50, 38],
            "area": 1900,
            "iscrowd": 0,
            "segmentation": [polygon],
            "num_keypoints": len(KEYPOINTS),
            "keypoints": points,
        }
