"""The framing of TFRecord files, without TensorFlow.

Each record is: length (uint64, little endian), masked CRC-32C of the length, the data, masked CRC-32C of the data.
Source: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.records.checksum import crc32c

_MASK_DELTA = 0xA282EAD8
_HEADER_BYTES = 12
_FOOTER_BYTES = 4
_BLOCK_BYTES = 2 << 20

Buffer = bytes | memoryview
Pieces = list[bytes]
"""A record with its frame; joined, the pieces are what stands in the file."""


def masked_crc(*data: Buffer) -> int:
    """CRC-32C of `data`, one piece after the other, rotated and shifted as TFRecord wants it."""
    crc = 0
    for piece in data:
        crc = crc32c(piece, crc)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def framed(data: Sequence[bytes]) -> Pieces:
    """A record, which is given in pieces, with its frame."""
    length = struct.pack("<Q", sum(map(len, data)))
    return [length + struct.pack("<I", masked_crc(length)), *data, struct.pack("<I", masked_crc(*data))]


def write_record(handle: IO[bytes], data: bytes) -> int:
    """Append one record and return the number of bytes written."""
    return sum(map(handle.write, framed([data])))


def read_tfrecord(path: Path) -> Iterator[bytes]:
    """Yield the data of each record, verified.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: the file ends inside a record, or a checksum is wrong; file and record are named.
    """
    try:
        with contextlib.closing(RecordReader(path)) as reader:
            yield from map(bytes, reader.upto(Path(path).stat().st_size))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); expected a TFRecord file.") from exc


class RecordReader:
    """Reads a TFRecord file, which may still be growing, in large blocks.

    Attributes:
        count: number of records read.
        crc: CRC-32C of the part of the file that was read.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened.
        """
        self._path, self._handle = path, Path(path).open("rb", buffering=0)
        self._unread = 0
        self._block, self._at = memoryview(b""), 0
        self.count = self.crc = 0

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def upto(self, size: int) -> Iterator[memoryview]:
        """Yield the data of the following records, verified, until the byte `size` of the file, where one must end.

        Raises:
            DataError: a record goes on behind `size`, or a checksum is wrong; file and record are named.
            OSError: the file cannot be read.
        """
        self._unread = size - self._handle.tell()
        while self._have(1):
            if not self._have(_HEADER_BYTES):
                self._refuse("the file ends inside its header")
            length, length_crc = struct.unpack_from("<QI", self._block, self._at)
            if masked_crc(self._take(_HEADER_BYTES)[:8]) != length_crc:
                self._refuse("the checksum of its length is wrong")
            if not self._have(length + _FOOTER_BYTES):
                self._refuse(f"it says {length} bytes, but the file ends before that")
            data = self._take(length)
            if struct.pack("<I", masked_crc(data)) != self._take(_FOOTER_BYTES):
                self._refuse("the checksum of its data is wrong")
            self.count += 1
            yield data

    def verify(self, size: int) -> None:
        """Read on to the byte `size` of the file, and look at the checksums only. Raises like `upto`."""
        for _ in self.upto(size):
            pass

    def _take(self, count: int) -> memoryview:
        """The next bytes, which are in the block."""
        self._at += count
        return self._block[self._at - count : self._at]

    def _have(self, count: int) -> bool:
        """Whether so many bytes follow; then they are in the block."""
        there = len(self._block) - self._at
        if there >= count:
            return True
        if there + self._unread < count:
            return False
        data = bytes(self._block[self._at :])
        while len(data) < count:
            more = self._handle.read(min(max(_BLOCK_BYTES, count - len(data)), self._unread))
            if not more:
                return False
            self.crc = crc32c(more, self.crc)
            self._unread -= len(more)
            data = data + more if data else more
        self._block, self._at = memoryview(data), 0
        return True

    def _refuse(self, problem: str) -> NoReturn:
        raise DataError(
            f"{self._path}: record {self.count}: {problem}; expected a whole TFRecord file. Write it again."
        )
