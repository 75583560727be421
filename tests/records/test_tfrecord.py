from __future__ import annotations

import io
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.records.tfrecord import masked_crc, read_tfrecord, write_record

RECORDS = [b"first", b"", b"third" * 1000]


def write(path: Path) -> bytes:
    buffer = io.BytesIO()
    for record in RECORDS:
        write_record(buffer, record)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def test_round_trip(tmp_path: Path) -> None:
    data = write(tmp_path / "a")
    assert list(read_tfrecord(tmp_path / "a")) == RECORDS
    assert len(data) == sum(len(record) + 16 for record in RECORDS)


def test_empty_file_has_no_records(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert list(read_tfrecord(tmp_path / "a")) == []


def test_masked_crc_of_the_standard_check_value() -> None:
    crc = 0xE3069283  # CRC-32C of "123456789", RFC 3720
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (0, "record 0: the checksum of its length is wrong"),
        (9, "record 0: the checksum of its length is wrong"),
        (14, "record 0: the checksum of its data is wrong"),
        (18, "record 0: the checksum of its data is wrong"),
        (60, "record 2: the checksum of its data is wrong"),
    ],
)
def test_flipped_bit_names_file_and_record(tmp_path: Path, position: int, message: str) -> None:
    data = bytearray(write(tmp_path / "a"))
    data[position] ^= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match=f"a: {message}"):
        list(read_tfrecord(tmp_path / "a"))


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (5, "record 0: the file ends inside its header"),
        (15, "record 0: it says 5 bytes"),
        (50, "record 2: it says 5000"),
    ],
)
def test_truncated_file_names_the_record(tmp_path: Path, length: int, message: str) -> None:
    data = write(tmp_path / "a")
    (tmp_path / "a").write_bytes(data[:length])
    with pytest.raises(DataError, match=message):
        list(read_tfrecord(tmp_path / "a"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        list(read_tfrecord(tmp_path / "a"))
