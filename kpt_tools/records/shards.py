"""TFRecord shards that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.records_manifest import SplitRecords
from kpt_tools.errors import DataError
from kpt_tools.records.tfrecord import Pieces, RecordReader

TARGET_SHARD_BYTES = 150 << 20
_LEAST_SHARD_BYTES = 16 << 20
_SIDE_BY_SIDE = 4
_READ_BACK_BYTES = 256 << 10
"""Written between two looks of those who read back: they find it in the processor's cache."""


@dataclass(frozen=True)
class Tally:
    """What one or more shards hold; `max_instances` is the most objects in one image."""

    images: int = 0
    instances: int = 0
    labelled_keypoints: int = 0
    max_instances: int = 0

    def __add__(self, other: Tally) -> Tally:
        """The sum of both."""
        return Tally(
            self.images + other.images,
            self.instances + other.instances,
            self.labelled_keypoints + other.labelled_keypoints,
            max(self.max_instances, other.max_instances),
        )


def shard_name(prefix: str, index: int, count: int) -> str:
    """``train.record-00000-of-00002``."""
    return f"{prefix}.record-{index:05d}-of-{count:05d}"


def shard_pattern(prefix: str, count: int) -> str:
    """The glob that fits the shards of this count only: ``train.record-?????-of-00002``."""
    return f"{prefix}.record-?????-of-{count:05d}"


def shard_count(num_images: int, num_bytes: int, wanted: int | None = None) -> int:
    """The number of shards: `wanted`, or as many as make about 150 MB each; never more than images.

    Several can be written and read side by side, so there are a multiple of four, and of less than 600 MB up to four of
    16 MB or more.
    """
    count = wanted
    if count is None:
        fours = round(num_bytes / TARGET_SHARD_BYTES / _SIDE_BY_SIDE)
        count = _SIDE_BY_SIDE * fours or min(_SIDE_BY_SIDE, num_bytes // _LEAST_SHARD_BYTES)
    return max(1, min(count, num_images))


def mixed_order(keys: Sequence[str], seed: int) -> list[int]:
    """Indices of `keys` in an order that looks random and depends on the keys and the seed only."""
    digests = [hashlib.blake2b(f"{seed}:order:{key}".encode(), digest_size=16).digest() for key in keys]
    return sorted(range(len(keys)), key=lambda index: (digests[index], keys[index], index))


@dataclass(frozen=True, slots=True)
class Record:
    """A record to be written: its pieces with their frame, and what is counted of it."""

    pieces: Pieces
    instances: int = 0
    labelled_keypoints: int = 0


def write_shard(path: Path, records: Iterable[Record]) -> tuple[Tally, str]:
    """Write one shard, reading it back with all its checksums while it grows.

    Returns:
        What the shard holds, and its checksum, see `SplitRecords.shards`.

    Raises:
        DataError: what was read back is not what was written.
    """
    images = instances = labelled = most = num_bytes = told = 0
    with path.open("wb") as handle, contextlib.closing(RecordReader(path)) as reader:
        for record in records:
            handle.writelines(record.pieces)
            images += 1
            instances += record.instances
            labelled += record.labelled_keypoints
            most = max(most, record.instances)
            num_bytes += sum(map(len, record.pieces))
            if num_bytes - told >= _READ_BACK_BYTES:
                handle.flush()
                reader.verify(num_bytes)
                told = num_bytes
        handle.flush()
        reader.verify(num_bytes)
        if reader.count != images:
            raise DataError(f"{path}: {reader.count} records read back; {images} were written. Check the disk.")
        return Tally(images, instances, labelled, most), f"{reader.crc:08x}"


def split_records(prefix: str, checksums: Mapping[str, str], tally: Tally) -> SplitRecords:
    """The manifest entry of a split; `checksums` has the names of all its shards in order, with those of the files."""
    return SplitRecords(
        pattern=shard_pattern(prefix, len(checksums)),
        shards=dict(checksums),
        images=tally.images,
        instances=tally.instances,
        labelled_keypoints=tally.labelled_keypoints,
        max_instances=tally.max_instances,
    )


def stale_shards(folder: Path, prefix: str, current: Iterable[str]) -> list[Path]:
    """Shards of this split in `folder` that an earlier run left and that are not among `current`."""
    return [folder / name for name in stale_names([path.name for path in folder.iterdir()], prefix, current)]


def stale_names(names: Iterable[str], prefix: str, current: Iterable[str]) -> list[str]:
    """Those of `names` that are shards of this split and not among `current`, in order."""
    ours = re.compile(rf"{re.escape(prefix)}\.record-\d{{5}}-of-\d{{5}}")
    keep = set(current)
    return sorted(name for name in names if ours.fullmatch(name) and name not in keep)
