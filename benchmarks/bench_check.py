"""How many images per second `kpt-tools check` looks at, with one process and with one per core.

    python benchmarks/bench_check.py [--count 2000] [--size 1280x960] [--workers 1 2]

Draws JPEGs with one annotated object each into a temporary folder, runs the whole check (structure of the files,
annotations, poses, look-alikes) and prints the machine, a table, and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL import __version__ as pillow_version

from kpt_tools import __version__
from kpt_tools.config.check import CheckConfig
from kpt_tools.stages.check import check

KEYPOINTS = ["nose", "left_ear", "right_ear", "left_hip", "right_hip", "tail"]
SHAPE = np.array([[0, -0.3], [-0.1, -0.2], [0.1, -0.2], [-0.12, 0.18], [0.12, 0.18], [0, 0.28]])
DISTINCT = 50


def draw(folder: Path, count: int, width: int, height: int) -> int:
    """Write images and JSON; returns the bytes of all images.

    Each file is one of some pictures with a few rows of its own, so that no two are alike byte for byte.
    """
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    images, annotations, total = [], [], 0
    bases = [texture(rng, width, height) for _ in range(DISTINCT)]
    for number in range(1, count + 1):
        picture = bases[number % DISTINCT].copy()
        x, y = int(rng.integers(width // 2)), int(rng.integers(height // 2))
        picture.paste(texture(rng, width // 4, height // 4), (x, y))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=88)
        name = f"frame{number:06d}.jpg"
        (folder / "images" / name).write_bytes(buffer.getvalue())
        total += len(buffer.getvalue())
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        annotations.append(animal(number, rng, width, height))
    category = {"id": 1, "name": "mouse", "keypoints": KEYPOINTS, "skeleton": [[1, 2], [1, 3]]}
    raw = {"images": images, "categories": [category], "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(raw), encoding="utf-8")
    return total


def texture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Smooth patches with grain, about as hard to code as a photograph."""
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return Image.fromarray(np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8))


def animal(number: int, rng: np.random.Generator, width: int, height: int) -> dict[str, Any]:
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (SHAPE + rng.normal(0, 0.01, SHAPE.shape)) @ turn.T * height + [width / 2, height / 2]
    (left, top), (right, bottom) = points.min(axis=0) - 5, points.max(axis=0) + 5
    box = [round(float(value), 1) for value in (left, top, right - left, bottom - top)]
    flat = [value for x, y in np.round(points).tolist() for value in (x, y, 2)]
    return {"id": number, "image_id": number, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
            "keypoints": flat, "num_keypoints": len(KEYPOINTS)}  # fmt: skip


def measure(folder: Path, workers: int) -> float:
    begin = time.perf_counter()
    check(CheckConfig(folder / "annotations.json", folder / "images", workers=workers))
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput of kpt-tools check.")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", default="1280x960")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        total = draw(Path(name), options.count, width, height)
        for workers in options.workers:
            seconds = min(measure(Path(name), workers) for _ in range(2))
            rows.append(
                {"workers": workers, "seconds": round(seconds, 2), "images_per_s": round(options.count / seconds)}
            )
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.system(),
               "python": platform.python_version(), "numpy": np.__version__, "pillow": pillow_version,
               "kpt-tools": __version__}  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"{options.count} JPEGs of {width}x{height}, {total / options.count / 1024:.0f} KB each; best of 2 runs")
    for row in rows:
        print(f"{row['workers']} process(es): {row['seconds']} s, {row['images_per_s']} images/s")
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    result = {"benchmark": "check", "images": options.count, "size": options.size, "machine": machine, "runs": rows,
              "peak_memory_mb": round(peak_kb / 1024)}  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
