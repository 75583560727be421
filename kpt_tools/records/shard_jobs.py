"""What goes into a shard, and a shard as a piece of work for another process or machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.entities import LabelMap
from kpt_tools.errors import DataError
from kpt_tools.records.encode import encode_parts
from kpt_tools.records.example_proto import Parts
from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.image_file import LoadedImage
from kpt_tools.records.prepare import Sample
from kpt_tools.records.shards import Tally, write_parts


@dataclass(frozen=True)
class ShardJob:
    """A shard to write: where to, what goes into it in which order, and the classes."""

    path: Path
    samples: tuple[Sample, ...]
    label_map: LabelMap

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name


def load(sample: Sample, read: ReadBytes | None = None) -> tuple[Sample, LoadedImage, str]:
    """A sample with its picture and the SHA-256 of what is stored of it; `read` reads files of other machines.

    Raises:
        DataError: the picture is not what it was when it was looked at.
    """
    loaded = sample.load(read)
    if not loaded.usable or (loaded.width, loaded.height) != (sample.image.width, sample.image.height):
        told = "; ".join(f.message for f in loaded.findings) or "another size"
        raise DataError(f"{sample.path}: changed since it was checked ({told}). Nothing was written; run again.")
    return sample, loaded, hashlib.sha256(loaded.encoded).hexdigest()


def parts_of(sample: Sample, loaded: LoadedImage, sha256: str, label_map: LabelMap) -> Parts:
    """The record of a sample that was loaded."""
    return encode_parts(sample.image, loaded.encoded, sha256, loaded.format, sample.instances, label_map)


def write_job(job: ShardJob) -> tuple[Tally, str]:
    """Write one shard; see `write_parts`.

    Raises:
        DataError: a picture is not what it was when it was looked at, or the shard does not read back.
    """
    return write_parts(job.path, (parts_of(*load(sample), job.label_map) for sample in job.samples))
