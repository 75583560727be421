"""What each step of `make-tfrecord` takes of one core, and what 10 million images would take.

    python benchmarks/bench_scale.py [--count 2000] [--repeats 3]

The steps are those of docs/scale.md, each in this process and in one thread, with files in the cache: reading the JSON,
applying the rules and writing the documents; looking at structure; decoding every pixel; writing shards and reading
them back, as they are and reduced. Core time is that of the process (user and system), so that waiting for a disk does
not count. Prints images per second and core, core-hours for 10 million images, and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from full_hd import write_annotations, write_images
from machine import machine

from kpt_tools.annotations.coco import coco_rows, stream_coco
from kpt_tools.annotations.split import split_images
from kpt_tools.fsio import write_json_rows
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.records.image_file import look_at_image
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.object_store import Database
from kpt_tools.records.prepare import Looking, PreparePolicy, prepared_samples
from kpt_tools.records.shard_jobs import ShardJob
from kpt_tools.records.shards import mixed_order
from kpt_tools.records.store import StoredDataset, StoredSamples, stored
from kpt_tools.stages.beam_shards import write_shard_of

WANTED = 10_000_000
DECODED = 200
"""Images for the steps that decode."""
SMALLER = 1024


def prepare(work: Path, max_side: int | None = None) -> tuple[StoredSamples, Any]:
    """All that the first process does before shards are written; images have been looked at."""
    database = Database()
    dataset, _ = stream_coco(work / "annotations.json", database.add)
    policy = PreparePolicy(mapper=known, max_side=max_side)
    looking = Looking(dataset.images, ImageFolder(work / "images"), policy)
    found = prepared_samples(StoredDataset(database, dataset), looking, policy)
    samples = stored(database, dataset.images, work / "images", (sample for sample, _ in found), max_side)
    return samples, label_map_of(dataset.categories)


def known(function: Callable[[Any], Any], jobs: Iterable[Any], **_: Any) -> Iterator[Any]:
    """What looking at the first image found, for all of them: they have one size."""
    found = None
    for job in jobs:
        found = found or function(job)
        yield found


def first_process(work: Path) -> None:
    samples, _ = prepare(work)
    split_images(samples.sources(), val=0.2)
    samples.at(mixed_order(samples.file_names(), 0))
    images = (sample.image for sample in samples)
    instances = (instance for sample in samples for instance in sample.instances)
    write_json_rows(work / "train.json", coco_rows(images, (), instances))


def looking(work: Path, count: int, verify: Any) -> None:
    for path in sorted((work / "images").iterdir())[:count]:
        look_at_image(path, (0, 0), verify=verify)


def writing(work: Path, count: int, max_side: int | None) -> None:
    samples, label_map = prepared[max_side]
    job = ShardJob(work / "shard", tuple(samples[index] for index in range(count)), label_map)
    result = write_shard_of(job)
    assert not result.lost


prepared: dict[int | None, tuple[StoredSamples, Any]] = {}


def main() -> None:
    parser = argparse.ArgumentParser(description="Core time of each step of make-tfrecord.")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--kilobytes", type=int, default=293)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    decoded = min(DECODED, options.count)
    about = machine("kpt-tools", "pillow", "protobuf")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_images(work / "images", options.count, (width, height), options.kilobytes)
        write_annotations(work / "annotations.json", options.count, (width, height))
        prepared.update({side: prepare(work, side) for side in (None, SMALLER)})
        steps: dict[str, tuple[int, Callable[[], None]]] = {
            "first process": (options.count, lambda: first_process(work)),
            "looking at structure": (options.count, lambda: looking(work, options.count, "structure")),
            "looking at every pixel": (decoded, lambda: looking(work, decoded, "full")),
            "writing shards": (options.count, lambda: writing(work, options.count, None)),
            f"writing shards, --max-side {SMALLER}": (decoded, lambda: writing(work, decoded, SMALLER)),
        }
        rows = [measure(step, count, run, options.repeats) for step, (count, run) in steps.items()]
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for row in rows:
        print(f"{row['step']}: {row['images_per_core_s']} images per second and core, "
              f"{row['core_hours']} core-hours for {WANTED:,} images")  # fmt: skip
    print(json.dumps({"benchmark": "scale", "machine": about, "images": options.count, "size": options.size,
                      "steps": rows}))  # fmt: skip


def measure(step: str, count: int, run: Callable[[], None], repeats: int) -> dict[str, Any]:
    run()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    rate = count / statistics.median(times)
    return {"step": step, "core_s": [round(each, 3) for each in times], "images_per_core_s": round(rate),
            "core_hours": round(WANTED / rate / 3600, 1)}  # fmt: skip


if __name__ == "__main__":
    main()
