"""Writing a folder of records on Beam: a shard is an item of work; no picture is sent from machine to machine."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kpt_tools.annotations.codes import finding
from kpt_tools.beam.files import copy_file, hidden_folder, is_remote, location_of, move, names_in, read_bytes, remove
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import FILE_NAME, RecordsManifest, SplitRecords
from kpt_tools.entities import Report
from kpt_tools.errors import EngineError
from kpt_tools.fsio import make_folder, write_text
from kpt_tools.records.encode import Encoder
from kpt_tools.records.parallel import Mapper
from kpt_tools.records.shard_jobs import ShardJob, record_of
from kpt_tools.records.shards import Record, Tally, split_records, stale_names, write_shard
from kpt_tools.stages.records_output import (
    SPLITS,
    Output,
    coco_written,
    label_map_text,
    write_documents,
)
from kpt_tools.stages.records_shards import plan_shards


@dataclass(frozen=True)
class ShardResult:
    """A shard that was written.

    Attributes:
        checksum: of the file, see `SplitRecords.shards`.
        tally: what was read back.
        lost: id of each image that could not be read any more, and why.
    """

    checksum: str
    tally: Tally
    lost: tuple[tuple[int, str], ...]


def write_shard_of(job: ShardJob) -> ShardResult:
    """Write one shard; what goes wrong with a picture is kept, and the others are written."""
    lost: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as name:
        folder = Path(name) if is_remote(job.path) else make_folder(job.path.parent)
        path = folder / f".{job.name}.{uuid.uuid4().hex}"
        try:
            tally, checksum = write_shard(path, _records(job, lost))
            if is_remote(job.path):
                copy_file(path, job.path)
            else:
                path.replace(job.path)
        finally:
            path.unlink(missing_ok=True)
    return ShardResult(checksum, tally, tuple(lost))


def _records(job: ShardJob, lost: list[tuple[int, str]]) -> Iterator[Record]:
    encoder = Encoder(job.label_map)
    for sample in job.samples:
        try:
            record = record_of(sample, encoder, read_bytes if is_remote(sample.path) else None)
        except Exception as exc:  # whatever is wrong with a picture, the others go on
            lost.append((sample.source.id, " ".join(f"{type(exc).__name__}: {exc}".split())))
            continue
        yield record


def _complaint(job: ShardJob, result: ShardResult) -> str:
    return "; ".join(reason for _, reason in result.lost)


def write_output_on_beam(output: Output, config: MakeTfrecordConfig, report: Report, mapper: Mapper) -> RecordsManifest:
    """What `write_output` does, with shards written by `mapper`; all folders may be on other filesystems.

    A picture that cannot be read any more does not stop the job: it is left out of everything, and told.

    Raises:
        EngineError: the pipeline failed, or a shard could not be written.
    """
    staging = hidden_folder(config.out)
    splits, kept = {}, {}
    try:
        for name, samples in output.splits.items():
            splits[name], lost = _write_split(name, output, config, staging, mapper)
            kept[name] = samples.at(i for i, image in enumerate(samples.sources()) if image.id not in lost)
            images = (image for image in samples.sources() if image.id in lost)
            report.extend(
                finding("image-unreadable", f"{image.file_name}: {lost[image.id]}", image=image.file_name)
                for image in images
            )
        return _publish(replace(output, splits=kept), splits, config, report, staging)
    finally:
        remove([staging])


def _write_split(
    name: str, output: Output, config: MakeTfrecordConfig, staging: str, mapper: Mapper
) -> tuple[SplitRecords, dict[int, str]]:
    """The manifest entry of a split, and the images lost on the way, with reasons."""
    plan = plan_shards(name, output.splits[name], config)
    jobs = plan.jobs(staging, output.label_map)
    what = f"writing {name} records"
    results = list(mapper(write_shard_of, jobs, what=what, failed=_refuse, complaint=_complaint, part=1))
    checksums = {shard: result.checksum for shard, result in zip(plan.names, results, strict=True)}
    tally = sum((result.tally for result in results), Tally())
    return split_records(name, checksums, tally), dict(pair for result in results for pair in result.lost)


def _refuse(job: ShardJob, reason: str) -> ShardResult:
    raise EngineError(
        f"{location_of(job.path)}: the shard could not be written ({reason}). Nothing was changed; run again."
    )


def _publish(
    output: Output, splits: dict[str, SplitRecords], config: MakeTfrecordConfig, report: Report, staging: str
) -> RecordsManifest:
    """Write the documents, and move everything into place; the manifest goes first and comes last."""
    out = location_of(config.out)
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as name:
        folder = Path(name)
        text = label_map_text(output, config, report)
        if is_remote(config.label_map):
            copy_file(write_text(folder / "label_map", text), config.label_map)
        else:
            write_text(config.label_map, text)
        for _ in coco_written(folder, output):
            pass
        manifest = write_documents(folder, output, splits, config, report)
        documents = sorted(path for path in folder.iterdir() if path.name != "label_map")
        for path in documents:
            copy_file(path, f"{staging}/{path.name}")
    remove([f"{out}/{FILE_NAME}"])
    shards = [shard for split in splits.values() for shard in split.shards]
    finished = [*shards, *(path.name for path in documents if path.name != FILE_NAME), FILE_NAME]
    for each in finished:
        move([(f"{staging}/{each}", f"{out}/{each}")])
    remove([f"{out}/{each}" for each in _stale(names_in(out), splits)])
    return manifest


def _stale(names: Sequence[str], splits: dict[str, SplitRecords]) -> list[str]:
    """What an earlier run left in the folder and this one did not write."""
    stale = []
    for name in SPLITS:
        stale += stale_names(names, name, splits[name].shards if name in splits else ())
        if name not in splits:
            stale += [each for each in names if each == f"{name}.json"]
    return stale
