"""Which samples go into which shards, and writing the shards of a split with all cores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from pathlib import Path

from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import SplitRecords
from kpt_tools.entities import LabelMap
from kpt_tools.errors import DataError
from kpt_tools.machine import available_cores
from kpt_tools.records.encode import Encoder
from kpt_tools.records.forked import Copies, Forked, can_fork, end_with, map_in_copies
from kpt_tools.records.parallel import MadeWhenAsked, map_items
from kpt_tools.records.progress import Progress, counted
from kpt_tools.records.shard_jobs import ShardJob, record_of, write_job
from kpt_tools.records.shards import Tally, mixed_order, shard_count, shard_name, split_records, write_shard
from kpt_tools.records.store import StoredSamples

PROCESSES_FROM = 300 << 20
"""In bytes of pictures: for less, starting processes anew takes longer than they save."""
FORKED_FROM = 64
"""In images: for fewer, copying this process takes longer than it saves."""
FORKED_UP_TO = 16 << 20
"""In bytes of objects: for more, memory would grow, since a copied process cannot use the database."""


@dataclass(frozen=True)
class ShardPlan:
    """The shards of a split ("train" or "val"): all samples in order, name and number of records of each shard."""

    split: str
    samples: StoredSamples
    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def jobs(self, folder: Path | str, label_map: LabelMap, *, apart: bool = True) -> Sequence[ShardJob]:
        """The shards as pieces of work, each made when it is asked for.

        Args:
            folder: where they are written.
            label_map: classes and slots.
            apart: the work is done in another process, so samples are taken from the database before it.
        """
        ends = list(accumulate(self.sizes))

        def job_at(index: int) -> ShardJob:
            samples = self.samples[ends[index] - self.sizes[index] : ends[index]]
            return ShardJob(Path(f"{folder}/{self.names[index]}"), samples.apart() if apart else samples, label_map)

        return MadeWhenAsked(len(ends), job_at)


def plan_shards(name: str, samples: StoredSamples, config: MakeTfrecordConfig) -> ShardPlan:
    """In which order and into which shards the samples of a split go; those of train are mixed."""
    if name == "train":
        samples = samples.at(mixed_order(samples.file_names(), config.seed))
    count = shard_count(len(samples), samples.stored_bytes(), config.shards)
    sizes = (len(samples) * (index + 1) // count - len(samples) * index // count for index in range(count))
    return ShardPlan(name, samples, tuple(shard_name(name, index, count) for index in range(count)), tuple(sizes))


def write_split(
    staging: Path,
    plan: ShardPlan,
    label_map: LabelMap,
    config: MakeTfrecordConfig,
    progress: Progress,
    meanwhile: Iterator[int],
) -> SplitRecords:
    """Write the shards of a split, with all cores.

    Args:
        staging: the folder that gets them.
        plan: what goes into them.
        label_map: classes and slots.
        config: the command's.
        progress: told of shards or images.
        meanwhile: other work of this process, in steps; gone on with while others write.

    Raises:
        DataError: an image changed since it was checked, or a shard does not read back.
    """
    samples, what = plan.samples, f"writing {plan.split} records"
    workers = config.workers or available_cores()
    if min(workers, len(plan.names)) > 1 and samples.stored_bytes() >= PROCESSES_FROM:
        written = []
        found = _write_elsewhere(plan, staging, label_map, min(workers, len(plan.names)), what, progress)
        with contextlib.closing(found):
            for each in found:
                written.append(each)
                _go_on(meanwhile, each[0].images + each[0].instances)
    else:
        written = _write_here(plan, staging, label_map, workers if _worth_copying(samples) else 1, what, progress)
    tally = sum((each for each, _ in written), Tally())
    if tally.images != len(samples):
        raise DataError(f"{staging}: {tally.images} {plan.split} records read back; {len(samples)} were expected.")
    checksums = {name: checksum for name, (_, checksum) in zip(plan.names, written, strict=True)}
    return split_records(plan.split, checksums, tally)


def _worth_copying(samples: StoredSamples) -> bool:
    return len(samples) >= FORKED_FROM and samples.objects_bytes <= FORKED_UP_TO and can_fork()


def _write_elsewhere(
    plan: ShardPlan, staging: Path, label_map: LabelMap, workers: int, what: str, progress: Progress
) -> Copies[tuple[Tally, str]] | Generator[tuple[Tally, str]]:
    """Write the shards by other processes, so that this one is free for something else.

    Copies of this process have the samples already; processes that are started anew are sent them.
    """
    if plan.samples.can_be_copied and can_fork():
        write = partial(write_job, on_record=partial(end_with, os.getpid()))
        jobs = plan.jobs(staging, label_map, apart=False)
        return map_in_copies(write, jobs, copies=workers, what=what, progress=progress, chunk=1)
    jobs = plan.jobs(staging, label_map)
    return map_items(write_job, jobs, workers=workers, what=what, progress=progress, large=True)


def _write_here(
    plan: ShardPlan, staging: Path, label_map: LabelMap, workers: int, what: str, progress: Progress
) -> list[tuple[Tally, str]]:
    """Write the shards by this process, and by copies of it where there may be several workers."""
    if workers > len(plan.names) and plan.samples.num_plain() < len(plan.samples) / 2:
        return _write_made_by_copies(plan, staging, label_map, workers, what, progress)
    processes = min(workers, len(plan.names))
    jobs = list(plan.jobs(staging, label_map, apart=processes > 1))
    with contextlib.ExitStack() as stack:
        write = partial(write_job, on_record=partial(end_with, os.getpid()))
        copies = [
            stack.enter_context(Forked(map(write, jobs[first::processes]), what)) for first in range(1, processes)
        ]
        own = jobs[::processes]
        # All have about as much to do, so the bar shows how far this one is.
        with counted(sum(len(job.samples) for job in own), what, progress) as on_record:
            done = [[write_job(job, on_record) for job in own]]
        done += [list(copy) for copy in copies]
    return [done[place % processes][place // processes] for place in range(len(jobs))]


def _write_made_by_copies(
    plan: ShardPlan, staging: Path, label_map: LabelMap, copies: int, what: str, progress: Progress
) -> list[tuple[Tally, str]]:
    """Write records that copies of this process make: for pictures that are reduced or converted."""
    record, samples = partial(record_of, encoder=Encoder(label_map)), plan.samples.apart()
    records = map_in_copies(record, samples, copies=copies, what=what, progress=progress, chunk=8)
    with contextlib.closing(records):
        shards = zip(plan.names, plan.sizes, strict=True)
        written = [write_shard(staging / name, islice(records, size)) for name, size in shards]
        next(records, None)  # lets the progress bar end
    return written


def _go_on(steps: Iterator[int], rows: int) -> None:
    """Take steps of `coco_written`, until that many rows have been written."""
    while rows > 0 and (step := next(steps, 0)):
        rows -= step
