"""Does the memory of `kpt-tools infer` grow with the number of images?

    python benchmarks/bench_infer_memory.py [--count 100000] [--every 5000] [--scratch FOLDER]

Links many names to a few small pictures and looks at them with an engine that costs nothing and finds one object in
each, so that all that is measured is reading, decoding, writing and bookkeeping. Prints resident memory on the way and
its growth from the first tenth to the end; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from machine import machine
from PIL import Image

from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.stages.infer import infer


class Cheap:
    """Finds the same object everywhere, without looking."""

    batch_size = 4

    def __init__(self) -> None:
        patch = LabelMapItem(1, "patch", (KeypointLabel(0, "left", "left"), KeypointLabel(1, "right", "right")))
        self.metadata = ModelMetadata(LabelMap((patch,)), ((0, 1),), (0.05, 0.05), (), (64, 64))
        self.found = {
            "detection_boxes": np.array([[0.1, 0.1, 0.5, 0.5]], np.float32),
            "detection_classes": np.array([1], np.float32),
            "detection_scores": np.array([0.9], np.float32),
            "detection_keypoints": np.array([[[0.1, 0.1], [0.1, 0.5]]], np.float32),
            "detection_keypoint_scores": np.array([[0.8, 0.7]], np.float32),
        }

    def detect(self, image: np.ndarray[Any, Any]) -> dict[str, Any]:
        """The object."""
        return self.found

    def detect_batch(self, images: Sequence[np.ndarray[Any, Any]]) -> list[dict[str, Any]]:
        """The object, in each picture."""
        return [self.found] * len(images)


def link(folder: Path, count: int) -> None:
    """So many names for 16 different pictures, a thousand in each sub-folder."""
    rng = np.random.default_rng(0)
    originals = []
    (folder / "originals").mkdir(parents=True)
    for number in range(16):
        originals.append(folder / "originals" / f"{number}.png")
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(originals[-1])
    for number in range(count):
        place = folder / "images" / f"part{number // 1000}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        os.link(originals[number % 16], place / f"img{number}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=5000)
    parser.add_argument("--scratch", type=Path)
    flags = parser.parse_args()
    process, points = psutil.Process(), []

    def watch(event: dict[str, Any]) -> None:
        if event["kind"] == "image" and event["done"] % flags.every == 0:
            points.append((event["done"], round(process.memory_info().rss / 1e6, 1)))
            print(f"{points[-1][0]:8} images {points[-1][1]:8.1f} MB", flush=True)

    with tempfile.TemporaryDirectory(dir=flags.scratch) as name:
        folder = Path(name)
        link(folder, flags.count)
        config = InferConfig(inputs=(str(folder / "images"),), out=folder / "out", no_images=True)
        begin = time.perf_counter()
        result = infer(config, watch, engine=Cheap())
        seconds = time.perf_counter() - begin
    if result.images != flags.count or sum(result.detections.values()) != flags.count:
        raise SystemExit(f"{result.images} images with {result.detections}; expected {flags.count} of each")
    start = next(mb for done, mb in points if done >= flags.count / 10)
    growth = round(points[-1][1] - start, 1)
    print(f"{flags.count / seconds:.0f} images/s; from the first tenth to the end {growth:+.1f} MB")
    info = machine("kpt-tools", "numpy", "pillow")
    result_row = {"benchmark": "infer memory", "images": flags.count, "machine": info, "resident_mb": points}
    print(json.dumps({**result_row, "growth_mb": growth, "images_per_s": round(flags.count / seconds)}))


if __name__ == "__main__":
    main()
