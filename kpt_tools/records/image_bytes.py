"""The bytes of an image file, read no further than somebody asks for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

ReadBytes = Callable[[Path], bytes]
"""Reads a file that may be on another machine."""
_HEAD = 32 * 1024
_TAIL = 4 * 1024


class ImageBytes:
    """A file whose beginning is in memory; the rest is read when it is needed.

    Attributes:
        head: the first bytes; all of them if the file is short, or was read whole.
        size: of the file.
        mtime_ns: when it was last changed, in nanoseconds; 0 if that is not known.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        """Read the beginning of a file.

        Args:
            path: the file.
            whole: read all of it at once.

        Raises:
            OSError: it cannot be read.
        """
        self._path: Path | None = path
        self._tail = b""
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # half the calls of a file object
        try:
            status = os.fstat(descriptor)
            self.size, self.mtime_ns = status.st_size, status.st_mtime_ns
            self.head = _read(descriptor, self.size if whole else min(self.size, _HEAD))
            if not whole and self.size > _HEAD:
                os.lseek(descriptor, max(self.size - _TAIL, _HEAD), os.SEEK_SET)
                self._tail = _read(descriptor, _TAIL)
        finally:
            os.close(descriptor)
        if whole:
            self.size = len(self.head)

    @classmethod
    def of(cls, data: bytes) -> ImageBytes:
        """Bytes that are in memory already."""
        found = cls.__new__(cls)
        found.head, found.size, found._path, found._tail, found.mtime_ns = data, len(data), None, b"", 0
        return found

    def whole(self) -> bytes:
        """All bytes.

        Raises:
            OSError: the file cannot be read any more.
        """
        if len(self.head) < self.size and self._path is not None:
            self.head = self._path.read_bytes()
            self.size = len(self.head)
        return self.head

    def ends_with_mark(self, mark: bytes, start: int) -> bool:
        """Whether `mark` occurs at or after the byte `start`; looked for from the end on."""
        if start <= self.size - len(self._tail) and self._tail.rfind(mark) >= 0:
            return True
        return self.whole().rfind(mark, start) >= 0


def _read(descriptor: int, count: int) -> bytes:
    """The next bytes, `count` of them unless the file ends before."""
    data = os.read(descriptor, count)
    while len(data) < count and (more := os.read(descriptor, count - len(data))):
        data += more
    return data
