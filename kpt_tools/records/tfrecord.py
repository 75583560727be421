"""The framing of TFRecord files, without TensorFlow.

Each record is: length (uint64, little endian), masked CRC-32C of the length, the data, masked CRC-32C of the data.
Source: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

import google_crc32c

from kpt_tools.errors import ConfigError, DataError

_MASK_DELTA = 0xA282EAD8
_HEADER_BYTES = 12
_FOOTER_BYTES = 4


def masked_crc(data: bytes) -> int:
    """CRC-32C of `data`, rotated and shifted as TFRecord wants it."""
    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def write_record(handle: IO[bytes], data: bytes) -> int:
    """Append one record and return the number of bytes written."""
    length = struct.pack("<Q", len(data))
    handle.write(length + struct.pack("<I", masked_crc(length)))
    handle.write(data)
    handle.write(struct.pack("<I", masked_crc(data)))
    return _HEADER_BYTES + len(data) + _FOOTER_BYTES


def read_tfrecord(path: Path) -> Iterator[bytes]:
    """Yield the data of each record, verified.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: the file ends inside a record, or a checksum is wrong; file and record are named.
    """
    try:
        with Path(path).open("rb") as handle:
            size = Path(path).stat().st_size
            index = 0
            while header := handle.read(_HEADER_BYTES):
                yield _read_data(handle, header, size, path, index)
                index += 1
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); expected a TFRecord file.") from exc


def _read_data(handle: IO[bytes], header: bytes, size: int, path: Path, index: int) -> bytes:
    if len(header) < _HEADER_BYTES:
        _refuse(path, index, "the file ends inside its header")
    length, length_crc = struct.unpack("<QI", header)
    if masked_crc(header[:8]) != length_crc:
        _refuse(path, index, "the checksum of its length is wrong")
    if length + _FOOTER_BYTES > size - handle.tell():
        _refuse(path, index, f"it says {length} bytes, but the file ends before that")
    data = handle.read(length)
    if struct.pack("<I", masked_crc(data)) != handle.read(_FOOTER_BYTES):
        _refuse(path, index, "the checksum of its data is wrong")
    return data


def _refuse(path: Path, index: int, problem: str) -> NoReturn:
    raise DataError(f"{path}: record {index}: {problem}; expected a whole TFRecord file. Write it again.")
