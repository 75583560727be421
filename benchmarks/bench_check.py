"""How many images per second `kpt-tools check` looks at, with one process and with one per core.

    python benchmarks/bench_check.py [--count 2000] [--size 1280x960] [--workers 1 2] [--repeats 5]

Draws JPEGs with one annotated object each into a temporary folder and runs the whole check (structure of the files,
annotations, poses, look-alikes) with each number of processes in turn, after one run that is not counted. Prints the
machine, medians, their ratio, and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from PIL import Image

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
    result = check(CheckConfig(folder / "annotations.json", folder / "images", workers=workers))
    seconds = time.perf_counter() - begin
    if result.usable_images != result.images or result.report.findings:
        raise SystemExit(f"the drawn data are not sound: {result.report.counts()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput of kpt-tools check.")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", default="1280x960")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        total = draw(Path(name), options.count, width, height)
        measure(Path(name), options.workers[0])  # files into the cache, modules loaded
        load = os.getloadavg()[0]
        times: dict[int, list[float]] = {workers: [] for workers in options.workers}
        for turn in range(options.repeats):  # alternating, so that what else the machine does meets all of them
            for workers in options.workers[:: 1 if turn % 2 == 0 else -1]:
                times[workers].append(measure(Path(name), workers))
    rows = [row_of(workers, found, options.count) for workers, found in times.items()]
    about = {**machine("kpt-tools", "numpy", "pillow"), "load_before": round(load, 2)}
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(f"{options.count} JPEGs of {width}x{height}, {total / options.count / 1024:.0f} KB each; "
          f"{options.repeats} runs of each, alternating")  # fmt: skip
    for row in rows:
        print(f"{row['workers']} process(es): median {row['median_s']} s ({row['least_s']} to {row['most_s']}), "
              f"{row['images_per_s']} images/s")  # fmt: skip
    ratio = round(rows[0]["median_s"] / rows[-1]["median_s"], 2)
    print(f"{rows[-1]['workers']} against {rows[0]['workers']}: {ratio} times as fast (ratio of the medians)")
    usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peaks = [round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024)) for peak in usage]
    result = {"benchmark": "check", "images": options.count, "size": options.size, "machine": about, "runs": rows,
              "ratio_of_medians": ratio, "peak_memory_mb": {"main": peaks[0], "largest_worker": peaks[1]}}  # fmt: skip
    print(json.dumps(result))


def row_of(workers: int, seconds: list[float], count: int) -> dict[str, Any]:
    median = statistics.median(seconds)
    return {"workers": workers, "seconds": [round(each, 2) for each in seconds], "median_s": round(median, 2),
            "least_s": round(min(seconds), 2), "most_s": round(max(seconds), 2),
            "images_per_s": round(count / median)}  # fmt: skip


if __name__ == "__main__":
    main()
