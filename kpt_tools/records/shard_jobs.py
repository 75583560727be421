"""What goes into a shard, and a shard as a piece of work for another process or machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.entities import LabelMap
from kpt_tools.errors import DataError
from kpt_tools.records.encode import Encoder
from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.image_file import LoadedImage
from kpt_tools.records.prepare import Sample
from kpt_tools.records.shards import Record, Tally, write_shard
from kpt_tools.records.tfrecord import framed


@dataclass(frozen=True)
class ShardJob:
    """A shard to write: where to, what goes into it in which order, and the classes."""

    path: Path
    samples: Sequence[Sample]
    label_map: LabelMap

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name


def load(sample: Sample, read: ReadBytes | None = None) -> LoadedImage:
    """The picture of a sample; `read` reads files of other machines.

    Raises:
        DataError: the picture is not what it was when it was looked at.
    """
    loaded = sample.load(read)
    if not loaded.usable or (loaded.width, loaded.height) != (sample.image.width, sample.image.height):
        told = "; ".join(f.message for f in loaded.findings) or "another size"
        raise DataError(f"{sample.path}: changed since it was checked ({told}). Nothing was written; run again.")
    return loaded


def record_of(sample: Sample, encoder: Encoder, read: ReadBytes | None = None) -> Record:
    """The record of a sample; `read` reads files of other machines.

    Raises:
        DataError: the picture is not what it was when it was looked at.
    """
    loaded = load(sample, read)
    digest = hashlib.sha256(loaded.encoded).hexdigest()
    parts = encoder.parts(sample.image, loaded.encoded, digest, loaded.format, sample.instances)
    return Record(framed(parts), len(sample.instances), sum(each.num_labelled for each in sample.instances))


def write_job(job: ShardJob, on_record: Callable[[], None] = lambda: None) -> tuple[Tally, str]:
    """Write one shard; see `write_shard`.

    Args:
        job: the shard.
        on_record: called before each record; what it raises ends the work.

    Raises:
        DataError: a picture is not what it was when it was looked at, or the shard does not read back.
    """
    return write_shard(job.path, _records(job, on_record))


def _records(job: ShardJob, on_record: Callable[[], None]) -> Iterator[Record]:
    encoder = Encoder(job.label_map)
    for sample in job.samples:
        on_record()
        yield record_of(sample, encoder)
