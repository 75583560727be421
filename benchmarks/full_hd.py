"""Made-up data sets for benchmarks of reading and writing: JPEGs of a given size in bytes, objects, keypoints."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

KEYPOINTS = ("nose", "left_ear", "right_ear", "neck", "tail")
DISTINCT = 40
_OBJECTS = 2


def write_images(folder: Path, count: int, wh: tuple[int, int], kilobytes: int, source: Path | None = None) -> int:
    """Write ``000001.jpg`` ... of about `kilobytes` each; returns the bytes of all.

    Pictures of `source` are scaled to `wh` and coded anew; without it they are drawn. There are at most `DISTINCT`
    different ones; a comment of its own makes every file unlike all others.
    """
    folder.mkdir(parents=True)
    pictures = [_coded(picture, kilobytes * 1000) for picture in _pictures(min(count, DISTINCT), wh, source)]
    total = 0
    for number in range(1, count + 1):
        comment = f"{number:012d}".encode()
        data = pictures[number % len(pictures)]
        data = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
        total += (folder / f"{number:06d}.jpg").write_bytes(data)
    return total


def _pictures(count: int, wh: tuple[int, int], source: Path | None) -> list[Image.Image]:
    if source is None:
        rng = np.random.default_rng(0)
        return [_drawn(rng, wh) for _ in range(count)]
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))[:count]
    if not paths:
        raise SystemExit(f"{source}: no JPEG or PNG; expected pictures.")
    return [Image.open(path).convert("RGB").resize(wh, Image.Resampling.BICUBIC) for path in paths]


def _drawn(rng: np.random.Generator, wh: tuple[int, int]) -> Image.Image:
    """Smooth patches with grain."""
    small = Image.fromarray(rng.integers(0, 256, (18, 32, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize(wh, Image.Resampling.BICUBIC), np.int16)
    return Image.fromarray(np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8))


def _coded(picture: Image.Image, wanted: int) -> bytes:
    """The JPEG whose size comes nearest to `wanted` bytes."""
    low, high, best = 5, 98, b""
    while low <= high:
        quality = (low + high) // 2
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        data = buffer.getvalue()
        if not best or abs(len(data) - wanted) < abs(len(best) - wanted):
            best = data
        low, high = (quality + 1, high) if len(data) < wanted else (low, quality - 1)
    return best


def write_annotations(path: Path, count: int, wh: tuple[int, int]) -> None:
    """A COCO JSON of two objects with five keypoints in each picture."""
    rng = np.random.default_rng(1)
    images, annotations = [], []
    for number in range(1, count + 1):
        images.append({"id": number, "file_name": f"{number:06d}.jpg", "width": wh[0], "height": wh[1]})
        annotations += [_object(number, index, rng, wh) for index in range(_OBJECTS)]
    category = {"id": 1, "name": "mouse", "supercategory": "animal", "keypoints": list(KEYPOINTS), "skeleton": []}
    raw = {"images": images, "categories": [category], "annotations": annotations}
    path.write_text(json.dumps(raw), encoding="utf-8")


def _object(image: int, index: int, rng: np.random.Generator, wh: tuple[int, int]) -> dict[str, Any]:
    width, height = float(rng.integers(100, wh[0] // 3)), float(rng.integers(100, wh[1] // 3))
    left, top = float(rng.integers(0, wh[0] - int(width))), float(rng.integers(0, wh[1] - int(height)))
    points = rng.uniform(0, 1, (len(KEYPOINTS), 2)) * (width, height) + (left, top)
    flat = [value for x, y in np.round(points, 2).tolist() for value in (x, y, 2)]
    return {
        "id": _OBJECTS * image + index,
        "image_id": image,
        "category_id": 1,
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
        "keypoints": flat,
        "num_keypoints": len(KEYPOINTS),
        "segmentation": [[left, top, left + width, top, left + width, top + height]],
    }
