"""Unpack a tar.gz that may be damaged or hostile.

Members are read in one pass and written by this module itself: plain files and folders with harmless names, within
bounds. Everything else is refused. The caller gives an empty folder and removes it if this fails.
"""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from kpt_tools.errors import DataError
from kpt_tools.zoo.listener import SILENT, Listener, megabytes

_BLOCK = 1 << 20
_MAX_NAME_BYTES = 255
_MAX_HEADER_BYTES = 1 << 16
# What gzip, zlib and tarfile raise for broken input; a chain of headers can exhaust the stack.
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError, RecursionError)
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@dataclass(frozen=True)
class Limits:
    """Bounds that no model of the zoo comes near.

    Attributes:
        members: files and folders.
        total_bytes: unpacked; the largest model has about 1.6 GB.
    """

    members: int = 20_000
    total_bytes: int = 8 << 30


@dataclass(frozen=True)
class Unpacked:
    """What came out.

    Attributes:
        files: number of files.
        total_bytes: in them.
    """

    files: int
    total_bytes: int


def unpack(archive: Path, into: Path, *, limits: Limits | None = None, listener: Listener = SILENT) -> Unpacked:
    """Unpack `archive` into the empty folder `into`.

    Raises:
        DataError: not a whole tar.gz, or a member that has no place in a model.
        OSError: a file cannot be written.
    """
    return _Unpacking(archive, into, limits or Limits(), listener).run()


def safe_path(name: str) -> PurePosixPath:
    """The relative path that a member's name stands for; ``.`` for the top itself.

    Raises:
        DataError: absolute, upwards, with backslash, drive, control character, or a name too long for file systems.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise DataError(f"member {name!r} points out of the folder that the archive is unpacked in")
    if "\\" in name or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name) or name[1:2] == ":":
        raise DataError(f"member {name!r} has a name that is not portable")
    if any(len(part.encode()) > _MAX_NAME_BYTES for part in parts) or len(parts) > 100:
        raise DataError(f"member {name[:40]!r}... has a name that is too long")
    return PurePosixPath(*parts)


class _StrictInfo(tarfile.TarInfo):
    """Refuses headers that would make tarfile read without bound."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictInfo:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.type in _HEADERS and info.size > _MAX_HEADER_BYTES):
            raise DataError(f"a header of {info.size} bytes")
        return info


class _Reader:
    """The decompressed stream, which tells how far it is and ends with an error beyond a bound."""

    def __init__(self, raw: IO[bytes], total: int, bound: int, listener: Listener) -> None:
        self._raw, self._total, self._left, self._listener = raw, total, bound, listener
        self._gzip = gzip.GzipFile(fileobj=raw, mode="rb")

    def read(self, size: int) -> bytes:
        block = self._gzip.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise DataError("it unpacks to more than any model of the zoo has")
        self._listener.progress(self._raw.tell(), self._total)
        return block


class _Unpacking:
    def __init__(self, archive: Path, into: Path, limits: Limits, listener: Listener) -> None:
        self._archive, self._into, self._limits, self._listener = archive, into, limits, listener
        self._seen: dict[str, bool] = {}  # normalised path -> whether it is a folder
        self._files = self._bytes = 0

    def run(self) -> Unpacked:
        with self._reading(), self._archive.open("rb") as raw:
            self._check_start(raw)
            # Headers and padding come on top of the members' bytes.
            bound = self._limits.total_bytes + self._limits.members * 4 * tarfile.BLOCKSIZE + tarfile.RECORDSIZE
            reader = _Reader(raw, self._archive.stat().st_size, bound, self._listener)
            with tarfile.open(fileobj=reader, mode="r|", tarinfo=_StrictInfo) as tar:  # type: ignore[call-overload]
                for number, member in enumerate(tar, start=1):
                    if number > self._limits.members:
                        raise DataError(f"it has more than {self._limits.members} members")
                    self._member(tar, member)
            while reader.read(_BLOCK):
                continue  # to the end of the gzip stream, where its checksum is
        return Unpacked(self._files, self._bytes)

    def _check_start(self, raw: IO[bytes]) -> None:
        start = raw.read(16)
        raw.seek(0)
        if start[:2] != b"\x1f\x8b":
            raise DataError(f"it starts with {start!r}, which no gzip file does" if start else "it is empty")

    def _member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = safe_path(member.name)
        if not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)) or member.issparse():
            kind = _KINDS.get(member.type, "neither a file nor a folder")
            raise DataError(f"member {member.name!r} is {kind}; a model has files and folders only")
        self._claim(path, member)
        if member.isdir():
            (self._into / path).mkdir(parents=True, exist_ok=True)
            return
        self._bytes += member.size
        if self._bytes > self._limits.total_bytes:
            raise DataError(f"its files have more than {megabytes(self._limits.total_bytes)}")
        self._files += 1
        (self._into / path).parent.mkdir(parents=True, exist_ok=True)
        self._write(tar, member, self._into / path)

    def _claim(self, path: PurePosixPath, member: tarfile.TarInfo) -> None:
        """Refuse a second member of the same name, also on file systems that ignore case, and a file used as folder."""
        if path == PurePosixPath() and not member.isdir():
            raise DataError(f"member {member.name!r} has no name")
        key = unicodedata.normalize("NFC", str(path)).casefold()
        parents = [unicodedata.normalize("NFC", str(parent)).casefold() for parent in path.parents]
        if any(self._seen.get(parent) is False for parent in parents):
            raise DataError(f"member {member.name!r} lies in what is a file")
        if key in self._seen and not (member.isdir() and self._seen[key]):
            raise DataError(f"member {member.name!r} occurs twice")
        self._seen.update(dict.fromkeys(parents, True))
        self._seen[key] = member.isdir()

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        source = tar.extractfile(member)
        left = member.size
        with path.open("xb") as target:
            while left:
                block = source.read(min(left, _BLOCK)) if source else b""
                if not block:
                    raise DataError(f"member {member.name!r} is cut off")
                target.write(block)
                left -= len(block)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Name the archive in every complaint about it."""
        try:
            yield
        except DataError as exc:
            raise DataError(f"{self._archive}: refused: {exc}.") from exc
        except _BROKEN as exc:
            reason = " ".join(str(exc).split()) or type(exc).__name__
            raise DataError(f"{self._archive}: damaged or cut off ({reason}); expected a whole tar.gz.") from exc
