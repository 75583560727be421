from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.errors import DataError
from kpt_tools.records.checksum import crc32c
from kpt_tools.records.shards import Record, Tally, shard_count, write_shard
from kpt_tools.records.tfrecord import framed, read_tfrecord

MB = 1 << 20


@pytest.mark.parametrize(
    ("images", "megabytes", "wanted", "expected"),
    [
        (116, 5, None, 1),
        (116, 31, None, 1),
        (290, 32, None, 2),
        (290, 80, None, 4),
        (2000, 299, None, 4),
        (4000, 1150, None, 8),
        (20_000, 5750, None, 40),
        (3, 5000, None, 3),
        (290, 80, 1, 1),
        (290, 80, 300, 290),
        (1, 0, None, 1),
    ],
)
def test_number_of_shards(images: int, megabytes: int, wanted: int | None, expected: int) -> None:
    assert shard_count(images, megabytes * MB, wanted) == expected


def test_a_shard_is_counted_and_read_back(tmp_path: Path) -> None:
    path, data = tmp_path / "a.record", [bytes([number]) * 300_000 for number in range(5)]
    records = (Record(framed([each]), instances=index, labelled_keypoints=3 * index) for index, each in enumerate(data))
    tally, checksum = write_shard(path, records)
    assert tally == Tally(images=5, instances=10, labelled_keypoints=30, max_instances=4)
    assert list(read_tfrecord(path)) == data
    assert int(checksum, 16) == crc32c(path.read_bytes())


def test_a_shard_without_records_is_empty(tmp_path: Path) -> None:
    assert write_shard(tmp_path / "a", ()) == (Tally(), "00000000")
    assert (tmp_path / "a").read_bytes() == b""


def test_what_is_written_wrong_is_found_when_it_is_read_back(tmp_path: Path) -> None:
    pieces = framed([b"x" * 1000])
    with pytest.raises(DataError, match="a: record 1: the checksum of its data is wrong"):
        write_shard(tmp_path / "a", [Record(pieces), Record([pieces[0], b"y" * 1000, pieces[2]])])


def test_the_checksum_is_the_standard_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720
    assert crc32c(memoryview(b"6789"), crc32c(b"12345")) == 0xE3069283
