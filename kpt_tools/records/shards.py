"""TFRecord shards that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.records_manifest import SplitRecords
from kpt_tools.errors import DataError
from kpt_tools.fsio import sha256_of
from kpt_tools.records.example_proto import parse_example
from kpt_tools.records.tfrecord import read_tfrecord, write_record

TARGET_SHARD_BYTES = 150 * 1024 * 1024


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
    """The number of shards: `wanted`, or as many as make about 150 MB each; never more than images."""
    count = wanted if wanted is not None else round(num_bytes / TARGET_SHARD_BYTES)
    return max(1, min(count, num_images))


def mixed_order(keys: Sequence[str], seed: int) -> list[int]:
    """Indices of `keys` in an order that looks random and depends on the keys and the seed only."""
    digests = [hashlib.blake2b(f"{seed}:order:{key}".encode(), digest_size=16).digest() for key in keys]
    return sorted(range(len(keys)), key=lambda index: (digests[index], keys[index], index))


def write_shard(path: Path, examples: Iterable[bytes]) -> Tally:
    """Write one shard, read it back with all its checksums, and count what is in it.

    Raises:
        DataError: what was read back is not as many records as were written.
    """
    written = 0
    with path.open("wb") as handle:
        for data in examples:
            write_record(handle, data)
            written += 1
        handle.flush()
        os.fsync(handle.fileno())
    tally = count_shard(path)
    if tally.images != written:
        raise DataError(f"{path}: {tally.images} records read back; {written} were written. Check the disk.")
    return tally


def count_shard(path: Path) -> Tally:
    """Read a shard with all its checksums and count what is in it.

    Raises:
        DataError: it is damaged.
    """
    total = Tally()
    for index, data in enumerate(read_tfrecord(path)):
        features = parse_example(data, f"{path}: record {index}")
        points = sum(v > 0 for v in features.get("image/object/keypoint/visibility", ()))
        objects = len(features.get("image/object/class/label", ()))
        total += Tally(1, objects, points, objects)
    return total


def split_records(prefix: str, paths: Sequence[Path], tally: Tally) -> SplitRecords:
    """The manifest entry of a split; `paths` are all its shards in order."""
    return SplitRecords(
        pattern=shard_pattern(prefix, len(paths)),
        shards={path.name: sha256_of(path) for path in paths},
        images=tally.images,
        instances=tally.instances,
        labelled_keypoints=tally.labelled_keypoints,
        max_instances=tally.max_instances,
    )


def stale_shards(folder: Path, prefix: str, current: Iterable[str]) -> list[Path]:
    """Shards of this split in `folder` that an earlier run left and that are not among `current`."""
    ours = re.compile(rf"{re.escape(prefix)}\.record-\d{{5}}-of-\d{{5}}")
    keep = set(current)
    return sorted(path for path in folder.iterdir() if ours.fullmatch(path.name) and path.name not in keep)
