"""The framing of TFRecord files, without TensorFlow.

Each record is: length (uint64, little endian), masked CRC-32C of the length, the data, masked CRC-32C of the data.
Source: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

import google_crc32c

from kpt_tools.errors import ConfigError, DataError

_MASK_DELTA = 0xA282EAD8
_HEADER_BYTES = 12
_FOOTER_BYTES = 4


def masked_crc(*data: bytes) -> int:
    """CRC-32C of `data`, one piece after the other, rotated and shifted as TFRecord wants it."""
    crc = 0
    for piece in data:
        crc = int(google_crc32c.extend(crc, piece))
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def framed(data: Sequence[bytes]) -> list[bytes]:
    """A record in pieces, with its frame: joined, they are what stands in the file."""
    length = struct.pack("<Q", sum(map(len, data)))
    first, *rest = data
    pieces = [length + struct.pack("<I", masked_crc(length)) + first, *rest]
    pieces[-1] += struct.pack("<I", masked_crc(*data))
    return pieces


def write_record(handle: IO[bytes], data: bytes) -> int:
    """Append one record and return the number of bytes written."""
    return sum(map(handle.write, framed([b"", data, b""])))


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
