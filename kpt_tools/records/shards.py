"""TFRecord shards that appear whole or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import google_crc32c

from kpt_tools.config.records_manifest import SplitRecords
from kpt_tools.errors import DataError
from kpt_tools.records.example_proto import Parts, parse_example, without_picture
from kpt_tools.records.tfrecord import framed, read_tfrecord

TARGET_SHARD_BYTES = 150 * 1024 * 1024
_LABEL, _VISIBILITY = "image/object/class/label", "image/object/keypoint/visibility"
_COUNTED = frozenset({_LABEL, _VISIBILITY})


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
    tally, _ = write_parts(path, ((b"", data, b"") for data in examples))
    return tally


def write_parts(path: Path, examples: Iterable[Parts]) -> tuple[Tally, str]:
    """`write_shard` of records in pieces; also returns the checksum of the file, see `SplitRecords.shards`."""
    written, checksum = _write(path, examples)
    return _read_back(path, written), checksum


def write_shards(paths: Sequence[Path], sizes: Sequence[int], examples: Iterator[Parts]) -> tuple[Tally, list[str]]:
    """Write shards one after the other; each is read back and counted while the next one is written.

    Args:
        paths: the files.
        sizes: number of records in each.
        examples: the records of all.

    Returns:
        What was read back of all, and the checksum of each file.

    Raises:
        DataError: what was read back is not as many records as were written.
    """
    checksums, counted = [], []
    with ThreadPoolExecutor(1) as reader:
        for path, size in zip(paths, sizes, strict=True):
            written, checksum = _write(path, islice(examples, size))
            checksums.append(checksum)
            counted.append(reader.submit(_read_back, path, written))
        return sum((each.result() for each in counted), Tally()), checksums


def _write(path: Path, records: Iterable[Parts]) -> tuple[int, str]:
    """Write records; returns their number and the checksum of the file."""
    written, crc = 0, 0
    with path.open("wb") as handle:
        for data in records:
            pieces = framed(data)
            for piece in pieces:
                crc = int(google_crc32c.extend(crc, piece))
            handle.writelines(pieces)
            written += 1
    return written, f"{crc:08x}"


def _read_back(path: Path, written: int) -> Tally:
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
        features = parse_example(without_picture(data), f"{path}: record {index}", _COUNTED)
        points = sum(v > 0 for v in features.get(_VISIBILITY, ()))
        objects = len(features.get(_LABEL, ()))
        total += Tally(1, objects, points, objects)
    return total


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
