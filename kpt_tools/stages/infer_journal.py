"""predictions.jsonl: one line per image, written as images finish, and what a killed run is gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from kpt_tools.errors import ConfigError, KptToolsError
from kpt_tools.fsio import make_folder, read_json
from kpt_tools.stages.run_manifest import FILE_NAME as MANIFEST_NAME

JOURNAL_NAME = "predictions.jsonl"

_FREE = frozenset({"overwrite", "workers", "batch_size"})
"""Settings that may change on the way: they do not change what is found."""


@dataclass(frozen=True)
class Earlier:
    """An unfinished run in the output folder.

    Attributes:
        begin_ns: when it was started first, by the clock of the file system.
        images: how many it has done.
    """

    begin_ns: int
    images: int


class Journal:
    """The growing file of lines in an output folder, held by one process at a time; use it as a context manager."""

    def __init__(self, out: Path) -> None:
        """Nothing is touched before the block begins."""
        self.out, self.path = out, out / JOURNAL_NAME
        self.lines = 0
        self._handle: IO[bytes] | None = None

    def __enter__(self) -> Journal:
        """Open the file and keep others from it.

        Raises:
            ConfigError: the folder cannot be written to, or another run is at work in it.
        """
        make_folder(self.out)
        try:
            self._handle = self.path.open("a+b")
        except OSError as exc:
            raise ConfigError(f"{self.path}: cannot be written ({exc.strerror}). Choose another --out.") from exc
        try:
            _lock(self._handle, self.out)
        except ConfigError:
            self._handle.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; an empty one is removed."""
        handle = self._file
        empty = handle.seek(0, os.SEEK_END) == 0
        handle.close()
        if empty and error is not None:
            self.path.unlink(missing_ok=True)

    def earlier(self, settings: Mapping[str, Any], *, overwrite: bool) -> Earlier | None:
        """The unfinished run of the same settings that is to be gone on with; None: start anew.

        Args:
            settings: what run.json will hold: "config", "inputs" and more.
            overwrite: start anew whatever is there.

        Raises:
            ConfigError: the folder is that of another command, or holds an unfinished run of other settings.
        """
        content = self._manifest()
        unfinished = content.get("status") in ("running", "interrupted", "failed") and "begin_ns" in content
        if overwrite or not unfinished or self._file.seek(0, os.SEEK_END) == 0:
            return None
        changed = [text for key, value in settings.items() for text in _changes(key, content.get(key), value)]
        if changed:
            raise ConfigError(
                f"{self.out}: holds an unfinished run with other settings ({'; '.join(changed[:3])}). Give the same "
                "settings to go on, --overwrite to start anew, or another --out."
            )
        self.lines = self._complete_lines()
        return Earlier(int(content["begin_ns"]), self.lines)

    def now(self) -> int:
        """The time by the clock of the file system, in nanoseconds."""
        os.utime(self.path)
        return self.path.stat().st_mtime_ns

    def clear(self) -> None:
        """Start anew: what is in the file is of an earlier run."""
        self._file.truncate(0)
        self.lines = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """The lines so far; those that are appended while this is iterated are not meant.

        Raises:
            ConfigError: a line is damaged.
        """
        with self.path.open("rb") as handle:
            for number, line in enumerate(handle, start=1):
                try:
                    yield json.loads(line)
                except ValueError as exc:
                    raise ConfigError(
                        f"{self.path}: line {number} is damaged ({exc}). --overwrite starts anew."
                    ) from exc

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a line; it is there for other programs at once.

        Raises:
            KptToolsError: the disk is full.
        """
        try:
            self._file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            self._file.flush()
            self.lines += 1
        except OSError as exc:
            raise KptToolsError(
                f"{self.path}: writing failed ({exc.strerror}). Free the cause; the same command then goes on."
            ) from exc

    @property
    def _file(self) -> IO[bytes]:
        if self._handle is None:
            raise ValueError("the journal is not open")
        return self._handle

    def _manifest(self) -> dict[str, Any]:
        """run.json of what was done here before, if it was this command."""
        path = self.out / MANIFEST_NAME
        content = read_json(path, what="run.json of an earlier run") if path.is_file() else {"command": "infer"}
        command = content.get("command") if isinstance(content, dict) else None
        if command != "infer":
            raise ConfigError(
                f"{self.out}: is the folder of a '{command}' run. Choose another output folder with --out."
            )
        return content

    def _complete_lines(self) -> int:
        """Count the lines; what a kill left of a last one without an end is cut off."""
        self._file.seek(0)
        count = end = 0
        for line in self._file:
            if line.endswith(b"\n"):
                count += 1
                end += len(line)
        self._file.truncate(end)
        return count


def _lock(handle: IO[bytes], out: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise ConfigError(
            f"{out}: another kpt-tools infer is writing there. Wait for it, or choose another --out."
        ) from exc


def _changes(key: str, before: Any, now: Any) -> Iterator[str]:
    """What is different, in words; settings one by one."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now} - _FREE):
            yield from _changes(name, before.get(name), now.get(name))
    elif before != now:
        yield f"{key} was {_short(before)}, is now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
