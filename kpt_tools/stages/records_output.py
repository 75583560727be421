"""Writing a folder of records: into a hidden folder, read back, then moved into place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import to_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import FILE_NAME, RecordsManifest, SplitRecords
from kpt_tools.entities import Category, Dataset, LabelMap, Report
from kpt_tools.errors import DataError
from kpt_tools.fsio import staging_folder, write_json, write_text
from kpt_tools.pipeline.label_map import format_label_map
from kpt_tools.records.encode import encode_example
from kpt_tools.records.prepare import Sample
from kpt_tools.records.progress import Progress
from kpt_tools.records.shards import (
    Tally,
    mixed_order,
    shard_count,
    shard_name,
    split_records,
    stale_shards,
    write_shard,
)
from kpt_tools.stages.check import report_dict

SPLITS = ("train", "val")
REPORT = "report.json"


@dataclass(frozen=True)
class Output:
    """What is to be written.

    Attributes:
        splits: "train" and perhaps "val"; category ids are those of the label map.
        categories: classes with label-map ids.
        label_map: classes and slots.
        source: where it all came from, for the manifest.
    """

    splits: dict[str, list[Sample]]
    categories: tuple[Category, ...]
    label_map: LabelMap
    source: dict[str, Any]


def write_output(
    output: Output, config: MakeTfrecordConfig, report: Report, progress: Progress
) -> dict[str, SplitRecords]:
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
        for name, samples in output.splits.items():
            write_json(staging / f"{name}.json", to_coco(_dataset(samples, output.categories)), indent=None)
        _write_label_map(output.label_map, config.label_map, report)
        write_json(staging / REPORT, report_dict(report))
        manifest = RecordsManifest(
            label_map=_relative(config.label_map, config.out),
            categories=output.categories,
            splits=splits,
            median_image_hw=_median_hw([sample for samples in output.splits.values() for sample in samples]),
            source=output.source,
        )
        manifest.write(staging)
        _move_into_place(staging, config.out, splits)
    return splits


def _write_split(
    staging: Path,
    name: str,
    samples: Sequence[Sample],
    label_map: LabelMap,
    config: MakeTfrecordConfig,
    progress: Progress,
) -> SplitRecords:
    if name == "train":
        order = mixed_order([sample.image.file_name for sample in samples], config.seed)
        samples = [samples[index] for index in order]
    count = shard_count(len(samples), sum(sample.num_bytes for sample in samples), config.shards)
    examples = _examples(progress(samples, f"writing {name} records"), label_map)
    tally = Tally()
    paths = []
    for index in range(count):
        size = len(samples) * (index + 1) // count - len(samples) * index // count
        paths.append(staging / shard_name(name, index, count))
        tally += write_shard(paths[-1], (next(examples) for _ in range(size)))
    next(examples, None)  # lets the progress bar end
    if tally.images != len(samples):
        raise DataError(f"{staging}: {tally.images} {name} records read back; {len(samples)} were expected.")
    return split_records(name, paths, tally)


def _examples(samples: Iterable[Sample], label_map: LabelMap) -> Iterator[bytes]:
    for sample in samples:
        loaded = sample.load()
        if not loaded.usable or (loaded.width, loaded.height) != (sample.image.width, sample.image.height):
            told = "; ".join(f.message for f in loaded.findings) or "another size"
            raise DataError(f"{sample.path}: changed since it was checked ({told}). Nothing was written; run again.")
        yield encode_example(sample.image, loaded.encoded, loaded.format, sample.instances, label_map)


def _dataset(samples: Sequence[Sample], categories: tuple[Category, ...]) -> Dataset:
    instances = tuple(instance for sample in samples for instance in sample.instances)
    return Dataset(tuple(sample.image for sample in samples), categories, instances)


def _write_label_map(label_map: LabelMap, path: Path, report: Report) -> None:
    text = format_label_map(label_map)
    if path.is_file() and path.read_bytes() != text.encode():
        message = f"{path}: another label map was there; replaced. Models trained with it keep their own."
        report.extend([finding("label-map-replaced", message)])
    write_text(path, text)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return str(path.resolve())


def _median_hw(samples: Sequence[Sample]) -> tuple[int, int]:
    sizes = sorted(
        (sample.image.width * sample.image.height, sample.image.height, sample.image.width) for sample in samples
    )
    _, height, width = sizes[len(sizes) // 2]
    return height, width


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
