"""The unfinished download on disk: ``<archive>.part``, and beside it what it is a part of."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import ConfigError, KptToolsError
from kpt_tools.fsio import make_folder, write_json
from kpt_tools.zoo.listener import megabytes


@dataclass(frozen=True)
class Origin:
    """Which file of which server the bytes belong to.

    Attributes:
        url: as asked for, without its query.
        total: bytes of the whole file; None if the server does not tell.
        validator: its strong ETag, else its Last-Modified date; "" if the server gives neither.
    """

    url: str
    total: int | None
    validator: str


def part_of(archive: Path) -> Path:
    """The unfinished download of `archive`."""
    return archive.with_name(archive.name + ".part")


def origin_of(archive: Path) -> Path:
    """The file that tells where `archive`, or its part, was downloaded from."""
    return archive.with_name(archive.name + ".part.json")


def read_origin(archive: Path) -> Origin | None:
    """Where the download came from; None if that is not known, so that nothing can be added to it."""
    try:
        values: Any = json.loads(origin_of(archive).read_text(encoding="utf-8"))
        origin = Origin(**values)
    except (OSError, ValueError, TypeError):
        return None
    known = isinstance(origin.url, str) and isinstance(origin.validator, str)
    return origin if known and (origin.total is None or isinstance(origin.total, int)) else None


def forget(archive: Path) -> None:
    """Remove an archive, its part and what is known of them."""
    for path in (archive, part_of(archive), origin_of(archive)):
        path.unlink(missing_ok=True)


class PartFile:
    """An open ``.part`` file, written without a buffer: what was received survives the end of the process."""

    def __init__(self, archive: Path, descriptor: int) -> None:
        self._archive = archive
        self._descriptor = descriptor
        self._path = part_of(archive)
        self.origin = read_origin(archive)
        if self.origin is None:
            self.restart()

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return os.fstat(self._descriptor).st_size

    def restart(self) -> None:
        """Drop all bytes."""
        self.origin = None
        os.ftruncate(self._descriptor, 0)

    def belongs_to(self, origin: Origin) -> None:
        """Store where the bytes that follow come from."""
        if origin != self.origin:
            write_json(origin_of(self._archive), dataclasses.asdict(origin))
            self.origin = origin

    def append(self, block: bytes) -> None:
        """Add received bytes.

        Raises:
            KptToolsError: the file system refused them.
        """
        try:
            view = memoryview(block)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as exc:
            raise self._refused(exc) from exc

    def sync(self) -> None:
        """Have the bytes on the disk before the file gets its final name.

        Raises:
            KptToolsError: the file system refused them.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as exc:
            raise self._refused(exc) from exc

    def _refused(self, exc: OSError) -> KptToolsError:
        return KptToolsError(
            f"{self._path}: writing failed after {megabytes(self.size)} ({exc.strerror or exc}). Make room and run the "
            "same command again: it goes on from there."
        )


@contextlib.contextmanager
def open_part(archive: Path) -> Iterator[PartFile]:
    """Open the part file of `archive` for one process alone; an empty one is removed at the end.

    Raises:
        ConfigError: it cannot be written, or another process is at it.
    """
    make_folder(archive.parent)
    path = part_of(archive)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written ({exc.strerror}). Choose another --pretrained-models.") from exc
    try:
        _lock(descriptor, path)
        part = PartFile(archive, descriptor)
        try:
            yield part
        finally:
            if not part.size and path.exists():
                forget_part(archive)
    finally:
        os.close(descriptor)


def finish(archive: Path) -> None:
    """Give a part that is complete its final name.

    Raises:
        ConfigError: it cannot be renamed.
    """
    try:
        part_of(archive).replace(archive)
    except OSError as exc:
        raise ConfigError(
            f"{archive}: cannot be written ({exc.strerror}). Choose another --pretrained-models."
        ) from exc


def forget_part(archive: Path) -> None:
    """Remove a part and what is known of it."""
    part_of(archive).unlink(missing_ok=True)
    origin_of(archive).unlink(missing_ok=True)


def _lock(descriptor: int, path: Path) -> None:
    """Keep other processes out until the file is closed; where the system has no such locks, do without."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise ConfigError(f"{path}: another kpt-tools fetch is downloading it. Wait until it is done.") from exc
    except OSError:
        return  # a network file system without locks
