"""`kpt-tools make-tfrecord` against the OD API's `create_coco_tf_record` and against `cp -r` of the same bytes.

    python benchmarks/bench_tfrecord.py [--count 290] [--repeats 5]           # whole process, 290 Full-HD JPEGs
    python benchmarks/bench_tfrecord.py --count 20000 --repeats 3             # images per second; needs 20 GB of disk
    python benchmarks/bench_tfrecord.py --pictures FOLDER                     # real pictures, scaled to Full HD

Each contender is a process of its own, from its start to its end, with files in the cache; they take turns, after one
run of each that is not counted and whose records are read back and compared feature by feature. The OD API's program
runs unmodified through the compatibility layer, with the keypoint names of this data set. Its imports are timed apart,
so that images per second are told without them, too. Prints the machine, medians and their ratios, and one JSON object
as the last line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from full_hd import KEYPOINTS, write_annotations, write_images
from machine import machine, summary

from kpt_tools.records.example_proto import parse_example
from kpt_tools.records.shards import shard_count
from kpt_tools.records.tfrecord import read_tfrecord

T = TypeVar("T")
COMPILED = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""Modules are compiled by the run that is not counted, as an installed package is."""
GOALS = {"whole_process": 12.0, "images_per_s": 3.0}
_EXACT = 1e-6
_PACKAGES = ("kpt-tools", "tensorflow", "tf-models-research-object-detection", "protobuf", "pillow", "numpy")


@dataclass(frozen=True)
class Run:
    """Wall time, peak memory, and the seconds that the contender's own imports took (0 if it does not tell)."""

    seconds: float
    peak_mb: float
    import_s: float = 0.0


def odapi_program(annotations: str, images: str, out: str, shards: int) -> None:
    """The contender's process: what the program's `main` does for one split."""
    begin = time.perf_counter()
    from kpt_tools.odapi import compat

    compat.activate()
    from object_detection.dataset_tools import create_coco_tf_record as program

    program._COCO_KEYPOINT_NAMES = [name.encode() for name in KEYPOINTS]
    print(f"imported {time.perf_counter() - begin:.3f}", flush=True)
    program._create_tf_record_from_coco_annotations(
        annotations, images, out, include_masks=False, num_shards=shards, keypoint_annotations_file=annotations
    )


def command_of(contender: str, work: Path, shards: int) -> list[str]:
    annotations, images, out = work / "annotations.json", work / "images", work / "out" / contender
    if contender == "cp":
        return ["cp", "-r", str(images), str(out / "images")]
    if contender == "odapi":
        call = [str(annotations), str(images), str(out / "train.record"), str(shards)]
        return [sys.executable, __file__, "--odapi-program", *call]
    options = ["--out", str(out), "--label-map", str(out / "label_map.pbtxt"), "--val", "0"]
    return [sys.executable, "-m", "kpt_tools", "make-tfrecord", str(annotations), str(images), *options]


def measure(contender: str, work: Path, shards: int) -> Run:
    out = work / "out" / contender
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with (work / f"{contender}.log").open("w+", encoding="utf-8") as log:
        begin = time.perf_counter()
        command = command_of(contender, work, shards)
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=COMPILED)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        log.seek(0)
        text = log.read()
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{contender} failed:\n{text[-3000:]}")
    imports = [float(line.split()[1]) for line in text.splitlines() if line.startswith("imported ")]
    return Run(seconds, usage.ru_maxrss / 1024, imports[0] if imports else 0.0)


def apart(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in another process: the contenders start from this one, and would take its memory over."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def features(folder: Path) -> Iterator[tuple[bytes, dict[str, list[Any]]]]:
    """Image id and features of every record."""
    shards = sorted(folder.glob("train.record-*-of-*"))
    if not shards:
        raise SystemExit(f"{folder}: no records")
    for path in shards:
        for data in read_tfrecord(path):
            found = parse_example(data, str(path))
            yield found["image/source_id"][0], found


def compare(work: Path) -> dict[str, Any]:
    """Read both back: every feature of the OD API's records must be in ours, with the same values.

    The pictures of the OD API's records are kept as digests only.
    """
    theirs = {key: _digested(found) for key, found in features(work / "out" / "odapi")}
    count, largest, names = 0, 0.0, set()
    for key, found in features(work / "out" / "kpt-tools"):
        picture = found["image/encoded"][0]
        if found["image/key/sha256"] != [hashlib.sha256(picture).hexdigest().encode()]:
            raise SystemExit(f"image {key!r}: image/key/sha256 is not that of its picture")
        ours, other = _digested(found), theirs.pop(key)
        for name, values in other.items():
            largest = max(largest, _difference(ours[name], values, f"image {key!r}: {name}"))
        names |= set(other)
        count += 1
    if theirs:
        raise SystemExit(f"{len(theirs)} images are in the OD API's records only")
    extra = sorted(set(ours) - names)
    return {"records": count, "same_features": sorted(names), "ours_only": extra, "largest_difference": largest}


def _digested(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {**found, "image/encoded": [hashlib.blake2b(data).digest() for data in found["image/encoded"]]}


def _difference(ours: list[Any], theirs: list[Any], where: str) -> float:
    if len(ours) != len(theirs):
        raise SystemExit(f"{where}: {len(ours)} values against {len(theirs)}")
    if ours == theirs:
        return 0.0
    if not all(isinstance(value, float) for value in (*ours, *theirs)):
        raise SystemExit(f"{where}: {ours[:5]} against {theirs[:5]}")
    largest = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True))
    if largest > _EXACT:
        raise SystemExit(f"{where}: differs by {largest}")
    return largest


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="make-tfrecord against the OD API's create_coco_tf_record.")
    parser.add_argument("--count", type=int, default=290)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--kilobytes", type=int, default=293, help="of a picture, about")
    parser.add_argument("--pictures", type=Path, help="real ones, scaled to --size; default: drawn")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work", type=Path, help="folder for everything; default: a temporary one")
    return parser.parse_args()


def main() -> None:
    if sys.argv[1:2] == ["--odapi-program"]:
        odapi_program(*sys.argv[2:5], int(sys.argv[5]))
        return
    options = parse()
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        run(options, Path(name))


def run(options: argparse.Namespace, work: Path) -> None:
    width, height = map(int, options.size.split("x"))
    about = machine(*_PACKAGES)
    total = apart(write_images, work / "images", options.count, (width, height), options.kilobytes, options.pictures)
    write_annotations(work / "annotations.json", options.count, (width, height))
    shards = shard_count(options.count, total)  # those that kpt-tools makes by itself
    contenders = ("kpt-tools", "odapi", "cp")
    for contender in ("kpt-tools", "odapi"):
        measure(contender, work, shards)
    same = apart(compare, work)
    shutil.rmtree(work / "out")
    measure("cp", work, shards)
    runs: dict[str, list[Run]] = {contender: [] for contender in contenders}
    for turn in range(options.repeats):
        for contender in contenders[:: 1 if turn % 2 == 0 else -1]:
            # Each finds as much free memory as the others: what is written need not be fetched from the system first.
            shutil.rmtree(work / "out")
            runs[contender].append(measure(contender, work, shards))
    report(options, about, total, same, runs)


def report(
    options: argparse.Namespace, about: dict[str, Any], total: int, same: dict[str, Any], runs: dict[str, list[Run]]
) -> None:
    rows = {name: {**summary([run.seconds for run in found]),
                   "peak_mb": round(max(run.peak_mb for run in found))} for name, found in runs.items()}  # fmt: skip
    imports = statistics.median(run.import_s for run in runs["odapi"])
    working = statistics.median(run.seconds - run.import_s for run in runs["odapi"])
    ours = rows["kpt-tools"]["median_s"]
    ratios = {
        "whole_process": round(rows["odapi"]["median_s"] / ours, 2),
        "images_per_s_without_its_imports": round(working / ours, 2),
        "cp": round(ours / rows["cp"]["median_s"], 2),
    }
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(f"{options.count} JPEGs of {options.size}, {total / options.count / 1000:.0f} KB each; "
          f"{options.repeats} runs of each, alternating")  # fmt: skip
    print(f"read back: {same['records']} records, {len(same['same_features'])} features equal "
          f"(largest relative difference {same['largest_difference']:.1g})")  # fmt: skip
    for name, row in rows.items():
        print(f"{name:>10}: median {row['median_s']:.2f} s ({row['least_s']:.2f} to {row['most_s']:.2f}), "
              f"{options.count / row['median_s']:.0f} images/s, peak {row['peak_mb']} MB")  # fmt: skip
    print(f"    odapi without its imports ({imports:.1f} s): {options.count / working:.0f} images/s")
    print(f"kpt-tools is {ratios['whole_process']} times as fast (whole process); its images/s are "
          f"{ratios['images_per_s_without_its_imports']} times those of the OD API without imports; "
          f"it takes {ratios['cp']} times as long as cp -r")  # fmt: skip
    print(json.dumps({"benchmark": "make-tfrecord", "images": options.count, "size": options.size,
                      "bytes": total, "machine": about, "read_back": same, "runs": rows, "odapi_import_s": imports,
                      "ratios_of_medians": ratios, "goals": GOALS}))  # fmt: skip


if __name__ == "__main__":
    main()
