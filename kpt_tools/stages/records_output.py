"""Writing a folder of records: into a hidden folder, read back, then moved into place."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import coco_rows
from kpt_tools.annotations.codes import finding
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import FILE_NAME, RecordsManifest, SplitRecords
from kpt_tools.entities import Category, LabelMap, Report
from kpt_tools.errors import DataError
from kpt_tools.fsio import staging_folder, write_json, write_json_rows, write_text
from kpt_tools.machine import available_cores
from kpt_tools.pipeline.label_map import format_label_map
from kpt_tools.records.example_proto import Parts
from kpt_tools.records.parallel import MadeWhenAsked, map_ahead, map_items
from kpt_tools.records.prepare import Sample
from kpt_tools.records.progress import Progress
from kpt_tools.records.shard_jobs import ShardJob, load, parts_of, write_job
from kpt_tools.records.shards import (
    Tally,
    mixed_order,
    shard_count,
    shard_name,
    split_records,
    stale_shards,
    write_shards,
)
from kpt_tools.records.store import StoredSamples
from kpt_tools.stages.report_document import report_dict

SPLITS = ("train", "val")
REPORT = "report.json"
PROCESSES_FROM = 300 << 20
"""In bytes of pictures: for less, starting processes takes longer than they save."""


@dataclass(frozen=True)
class Output:
    """What is to be written.

    Attributes:
        splits: "train" and perhaps "val"; category ids are those of the label map. They may lie on disk.
        categories: classes with label-map ids.
        label_map: classes and slots.
        source: where it all came from, for the manifest.
    """

    splits: dict[str, StoredSamples]
    categories: tuple[Category, ...]
    label_map: LabelMap
    source: dict[str, Any]


def write_output(output: Output, config: MakeTfrecordConfig, report: Report, progress: Progress) -> RecordsManifest:
    """Write shards, label map, COCO files, report and manifest; what was there before stays if this fails.

    The manifest goes first and comes last: a folder with one is whole.

    Raises:
        ConfigError: a folder cannot be written to.
        DataError: an image changed since it was checked, or a shard does not read back.
        KptToolsError: the disk is full.
    """
    with staging_folder(config.out) as staging:
        splits = {
            name: _write_split(staging, name, samples, output.label_map, config, progress)
            for name, samples in output.splits.items()
        }
        write_text(config.label_map, label_map_text(output, config, report))
        manifest = write_documents(staging, output, splits, config, report)
        _move_into_place(staging, config.out, splits)
    return manifest


def write_documents(
    folder: Path, output: Output, splits: dict[str, SplitRecords], config: MakeTfrecordConfig, report: Report
) -> RecordsManifest:
    """Write the COCO files, the report and the manifest of shards that have been written."""
    for name, samples in output.splits.items():
        _write_coco(folder / f"{name}.json", samples, output.categories)
    write_json(folder / REPORT, report_dict(report))
    manifest = RecordsManifest(
        label_map=_relative(config.label_map, config.out),
        categories=output.categories,
        splits=splits,
        median_image_hw=_median_hw(output.splits.values()),
        source=output.source,
        max_side=config.max_side,
        reduced_images=sum(samples.num_reduced() for samples in output.splits.values()),
        aspect_range=_aspect_range(output.splits.values()),
    )
    manifest.write(folder)
    return manifest


def label_map_text(output: Output, config: MakeTfrecordConfig, report: Report) -> str:
    """The label map as text; if another one is there, that is told."""
    text, path = format_label_map(output.label_map), config.label_map
    if path.is_file() and path.read_bytes() != text.encode():
        message = f"{path}: another label map was there; replaced. Models trained with it keep their own."
        report.extend([finding("label-map-replaced", message)])
    return text


@dataclass(frozen=True)
class ShardPlan:
    """The shards of a split: all samples in order, and name and number of records of each shard."""

    samples: StoredSamples
    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def jobs(self, folder: Path | str, label_map: LabelMap) -> Sequence[ShardJob]:
        """The shards as pieces of work, each made when it is asked for; `folder` is where they are written."""
        ends = list(accumulate(self.sizes))

        def job_at(index: int) -> ShardJob:
            samples = tuple(self.samples[ends[index] - self.sizes[index] : ends[index]])
            return ShardJob(Path(f"{folder}/{self.names[index]}"), samples, label_map)

        return MadeWhenAsked(len(ends), job_at)


def plan_shards(name: str, samples: StoredSamples, config: MakeTfrecordConfig) -> ShardPlan:
    """In which order and into which shards the samples of a split go; those of train are mixed."""
    if name == "train":
        samples = samples.at(mixed_order(samples.file_names(), config.seed))
    count = shard_count(len(samples), samples.stored_bytes(), config.shards)
    sizes = (len(samples) * (index + 1) // count - len(samples) * index // count for index in range(count))
    return ShardPlan(samples, tuple(shard_name(name, index, count) for index in range(count)), tuple(sizes))


def _write_split(
    staging: Path,
    name: str,
    samples: StoredSamples,
    label_map: LabelMap,
    config: MakeTfrecordConfig,
    progress: Progress,
) -> SplitRecords:
    plan, what = plan_shards(name, samples, config), f"writing {name} records"
    workers = config.workers or available_cores()
    if 1 < workers < len(plan.names) and samples.stored_bytes() >= PROCESSES_FROM:
        jobs = plan.jobs(staging, label_map)
        written = list(
            map_items(write_job, jobs, workers=workers, what=what, progress=progress, least_items=0, large=True)
        )
        tally, checksums = sum((each for each, _ in written), Tally()), [checksum for _, checksum in written]
    else:
        examples = _examples(progress(plan.samples, what), label_map, workers)
        tally, checksums = write_shards([staging / each for each in plan.names], plan.sizes, examples)
        next(examples, None)  # lets the progress bar end
    if tally.images != len(samples):
        raise DataError(f"{staging}: {tally.images} {name} records read back; {len(samples)} were expected.")
    return split_records(name, dict(zip(plan.names, checksums, strict=True)), tally)


def _examples(samples: Iterable[Sample], label_map: LabelMap, threads: int) -> Iterator[Parts]:
    for loaded in map_ahead(load, samples, threads=threads):
        yield parts_of(*loaded, label_map)


def _write_coco(path: Path, samples: StoredSamples, categories: tuple[Category, ...]) -> None:
    instances = (instance for sample in samples for instance in sample.instances)
    write_json_rows(path, coco_rows(samples.stored_images(), categories, instances))


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return str(path.resolve())


def _median_hw(splits: Iterable[StoredSamples]) -> tuple[int, int]:
    counts = Counter((height, width) for samples in splits for width, height in samples.sizes_wh())
    sizes = sorted(counts, key=lambda hw: (hw[0] * hw[1], *hw))
    passed, half = 0, sum(counts.values()) // 2
    for size in sizes:
        passed += counts[size]
        if passed > half:
            break
    return size


def _aspect_range(splits: Iterable[StoredSamples]) -> tuple[float, float]:
    aspects = {width / height for samples in splits for width, height in samples.sizes_wh()}
    return min(aspects), max(aspects)


def _move_into_place(staging: Path, out: Path, splits: dict[str, SplitRecords]) -> None:
    (out / FILE_NAME).unlink(missing_ok=True)
    finished = sorted(path for path in staging.iterdir() if path.name != FILE_NAME)
    for path in [*finished, staging / FILE_NAME]:
        path.replace(out / path.name)
    for name in SPLITS:
        current = splits[name].shards if name in splits else ()
        for stale in stale_shards(out, name, current):
            stale.unlink()
        if name not in splits:
            (out / f"{name}.json").unlink(missing_ok=True)
