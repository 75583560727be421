"""Writing a folder of records: into a hidden folder, read back, then moved into place."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import coco_rows
from kpt_tools.annotations.codes import finding
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import FILE_NAME, RecordsManifest, SplitRecords
from kpt_tools.entities import Category, LabelMap, Report
from kpt_tools.fsio import json_rows_written, staging_folder, write_json, write_text
from kpt_tools.pipeline.label_map import format_label_map
from kpt_tools.records.progress import Progress
from kpt_tools.records.shards import stale_shards
from kpt_tools.records.store import StoredSamples
from kpt_tools.stages.records_shards import plan_shards, write_split
from kpt_tools.stages.report_document import report_dict

SPLITS = ("train", "val")
REPORT = "report.json"


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
    with staging_folder(config.out) as staging, contextlib.closing(coco_written(staging, output)) as coco:
        splits = {
            name: write_split(staging, plan_shards(name, samples, config), output.label_map, config, progress, coco)
            for name, samples in output.splits.items()
        }
        for _ in coco:
            pass
        write_text(config.label_map, label_map_text(output, config, report))
        manifest = write_documents(staging, output, splits, config, report)
        _move_into_place(staging, config.out, splits)
    return manifest


def write_documents(
    folder: Path, output: Output, splits: dict[str, SplitRecords], config: MakeTfrecordConfig, report: Report
) -> RecordsManifest:
    """Write the report and the manifest of shards and COCO files that have been written."""
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


def coco_written(folder: Path, output: Output) -> Generator[int]:
    """Write the COCO files in steps, with something else in between; yields the number of rows in each step."""
    for name, samples in output.splits.items():
        rows = coco_rows(samples.stored_images(), output.categories, samples.instances())
        yield from json_rows_written(folder / f"{name}.json", rows)


def label_map_text(output: Output, config: MakeTfrecordConfig, report: Report) -> str:
    """The label map as text; if another one is there, that is told."""
    text, path = format_label_map(output.label_map), config.label_map
    if path.is_file() and path.read_bytes() != text.encode():
        message = f"{path}: another label map was there; replaced. Models trained with it keep their own."
        report.extend([finding("label-map-replaced", message)])
    return text


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
