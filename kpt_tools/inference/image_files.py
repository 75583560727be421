"""Image and video files that people name by file, folder or pattern: streamed in natural order, folder by folder."""

from __future__ import annotations

import contextlib
import glob
import heapq
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from kpt_tools.entities import Finding
from kpt_tools.errors import ConfigError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"})

_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file; `name` is its path below the folder that all inputs share, with forward slashes."""

    path: Path
    name: str


@dataclass
class _Tally:
    """What one pass saw."""

    images: int = 0
    others: int = 0
    videos: int = 0
    excluded: int = 0
    unreadable: list[str] = field(default_factory=list)


def natural_key(name: str) -> str:
    """Sort key that puts ``img2`` before ``img10``; a text, so that keys of large folders stay small."""
    return _NUMBER.sub(_padded, name.casefold())


def _padded(match: re.Match[str]) -> str:
    """A number as text that sorts by value, before any other text: by length, then digits, then leading zeros."""
    digits = match[0]
    plain = digits.lstrip("0") or "0"
    return f"\x01{len(plain):03d}{plain}{chr(0x300 - (len(digits) - len(plain)))}"


def has_suffix(name: str, suffixes: Iterable[str]) -> bool:
    """Whether a file name ends in one of the suffixes, whatever their case."""
    return os.path.splitext(name)[1].lower() in suffixes


class FileSearch:
    """The files that inputs name; each pass goes through the folders anew and holds one folder's names at a time."""

    def __init__(self, inputs: Sequence[str], *, exclude: Path | None = None) -> None:
        """Look at the inputs, not yet into the folders.

        Args:
            inputs: files, folders, glob patterns.
            exclude: a folder whose files are not taken when a folder above it is searched (the output folder).

        Raises:
            ConfigError: an input does not exist.
        """
        self._exclude = os.path.realpath(exclude) if exclude is not None else None
        self._inputs = tuple(inputs)
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self._videos: dict[str, None] = {}
        self._ignored = _Tally()
        self._roots: list[str] = []
        for text in inputs:
            self._add(text)
        self._common = os.path.commonpath(self._roots) if self._roots else ""
        self._last = _Tally()

    @property
    def videos(self) -> tuple[FoundFile, ...]:
        """The video files that were named, or matched by a pattern, in the order of the inputs."""
        return tuple(self._named(self._videos))

    def __iter__(self) -> Iterator[FoundFile]:
        """The images in natural order, each once."""
        self._last = tally = _Tally(
            others=self._ignored.others, videos=self._ignored.videos, excluded=self._ignored.excluded
        )
        seen: set[str] = set()
        streams = [self._named(_walk(folder, seen, self._exclude, tally)) for folder in self._folders]
        named = sorted(self._named(self._files), key=lambda file: natural_key(file.name))
        before = None
        for file in heapq.merge(named, *streams, key=lambda file: natural_key(file.name)) if streams else named:
            if file.name != before:
                tally.images += 1
                yield file
            before = file.name

    def count(self) -> int:
        """Number of images; takes a pass."""
        return sum(1 for _ in self)

    def findings(self) -> tuple[Finding, ...]:
        """What the last pass saw and did not take."""
        what, tally = ", ".join(self._inputs), self._last
        told = [
            ("not-an-image-file", tally.others, f"{what}: file(s) without an image suffix passed over"),
            ("video-in-folder", tally.videos, f"{what}: video(s) in folders, which have to be named, passed over"),
            ("output-not-input", tally.excluded, f"{self._exclude}: picture(s) of the output folder passed over"),
        ]
        notes = [Finding(code, "info", f"{text}: {count}.") for code, count, text in told if count]
        return (*notes, *(Finding("folder-unreadable", "error", text) for text in tally.unreadable))

    def _add(self, text: str) -> None:
        if os.path.isdir(text):
            self._take_folder(text)
            self._roots.append(os.path.abspath(text))
        elif os.path.isfile(text):
            self._take_file(text)
            self._roots.append(os.path.dirname(os.path.abspath(text)))
        elif glob.has_magic(text):
            self._add_pattern(text)
        else:
            raise ConfigError(
                f"{text}: no such file or folder; expected an image, a folder, a glob pattern, a video, "
                "http(s)://... or camera:0."
            )

    def _add_pattern(self, text: str) -> None:
        matches = sorted(glob.iglob(text, recursive=True), key=natural_key)
        if not matches:
            raise ConfigError(
                f"{text}: the pattern matches no file. Check it, and quote it so that the shell leaves it alone."
            )
        self._roots.append(os.path.abspath(_fixed_part(text)))
        suffix = Path(text).suffix
        meant = bool(suffix) and not glob.has_magic(suffix)
        for match in matches:
            if os.path.isdir(match):
                self._take_folder(match)
            elif not (meant or has_suffix(match, IMAGE_SUFFIXES | VIDEO_SUFFIXES)):
                self._ignored.others += 1
            elif self._exclude is not None and _is_below(os.path.realpath(match), self._exclude):
                self._ignored.excluded += 1
            else:
                self._take_file(match)

    def _take_file(self, path: str) -> None:
        (self._videos if has_suffix(path, VIDEO_SUFFIXES) else self._files)[os.path.abspath(path)] = None

    def _take_folder(self, path: str) -> None:
        self._folders[os.path.abspath(path)] = None

    def _named(self, paths: Iterable[str]) -> Iterator[FoundFile]:
        here = os.path.join(os.getcwd(), "")
        for path in paths:
            yield FoundFile(Path(path.removeprefix(here)), self._name_of(path))

    def _name_of(self, path: str) -> str:
        below = path[len(self._common) :].lstrip(os.sep)
        return PurePath(below).as_posix() if os.sep != "/" else below


def _walk(folder: str, seen: set[str], exclude: str | None, tally: _Tally, *, taken: bool = True) -> Iterator[str]:
    """Image files of a folder and those below, in natural order; folders that were reached before are passed over."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    taken = taken and real != exclude
    try:
        names = _names_in(folder, tally, taken=taken)
    except OSError as exc:
        tally.unreadable.append(f"{folder}: cannot be searched ({exc.strerror}). Passed over; check its rights.")
        return
    for name in names:
        if name.endswith("/"):
            yield from _walk(os.path.join(folder, name[:-1]), seen, exclude, tally, taken=taken)
        elif taken:
            yield os.path.join(folder, name)
        else:
            tally.excluded += 1


def _names_in(folder: str, tally: _Tally, *, taken: bool) -> list[str]:
    """Sorted names of image files and, with a slash behind, of folders; hidden ones are not looked at."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            with contextlib.suppress(OSError):  # gone since, or a link to nowhere: neither folder nor image
                if entry.is_dir():
                    names.append(f"{entry.name}/")
                    continue
            if has_suffix(entry.name, IMAGE_SUFFIXES):
                names.append(entry.name)
            elif taken:
                tally.videos += has_suffix(entry.name, VIDEO_SUFFIXES)
                tally.others += not has_suffix(entry.name, VIDEO_SUFFIXES)
    names.sort()  # names that differ in case only, or not even in that, have an order, too
    names.sort(key=natural_key)
    return names


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _fixed_part(pattern: str) -> Path:
    """The folders of a pattern before its first wildcard."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    return Path(*fixed)
