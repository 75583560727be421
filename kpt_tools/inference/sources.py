"""Which images to detect in, and how they become RGB arrays."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.entities import Finding
from kpt_tools.errors import ConfigError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image file; `name` is its path below the folder that all inputs share, with forward slashes."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The images that were found, in natural order, and what was passed over on the way."""

    images: tuple[SourceImage, ...]
    findings: tuple[Finding, ...] = ()


def find_images(inputs: Sequence[str], *, exclude: Path | None = None) -> Sources:
    """Find the images that `inputs` name.

    A file is taken whatever its suffix. Folders are searched with their sub-folders for files with an image
    suffix; hidden files and folders are not looked at. A pattern may contain ``**``; folders that it matches
    are searched like named ones. The order is natural (``img2`` before ``img10``); a file named twice
    counts once.

    Args:
        inputs: files, folders, glob patterns.
        exclude: a folder whose files are not taken when a folder above it is searched (the output folder).

    Raises:
        ConfigError: an input does not exist, or there is no image at all.
    """
    search = _Search(exclude)
    for text in inputs:
        search.add(text)
    if not search.found:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise ConfigError(f"{', '.join(inputs)}: no image found; expected files that end in {kinds}. Check the path.")
    return Sources(search.named(), search.passed_over(inputs))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``img2`` before ``img10``."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts)


class _Search:
    """Gathers image files, each once, and counts what it passes over."""

    def __init__(self, exclude: Path | None) -> None:
        self.exclude = exclude
        self.found: dict[Path, Path] = {}
        self.roots: list[Path] = []
        self.folders: set[str] = set()
        self.others = self.excluded = 0

    def add(self, text: str) -> None:
        """Take what one input names."""
        path = Path(text)
        if path.is_dir():
            self.roots.append(path)
            self._folder(path)
        elif path.is_file():
            self.roots.append(path.parent)
            self.found.setdefault(path.resolve(), path)
        elif glob.has_magic(text):
            self._pattern(text)
        else:
            raise ConfigError(f"{text}: no such file or folder; expected an image, a folder or a glob pattern.")

    def _pattern(self, text: str) -> None:
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True))
        if not matches:
            raise ConfigError(
                f"{text}: the pattern matches no file. Check it, and quote it so that the shell leaves it alone."
            )
        self.roots.append(_fixed_part(text))
        suffix = Path(text).suffix
        meant = bool(suffix) and not glob.has_magic(suffix)
        for match in matches:
            if match.is_dir():
                self._folder(match)
            else:
                self._file(match, is_image=meant or _looks_like_image(match))

    def _folder(self, folder: Path) -> None:
        for parent, folders, files in os.walk(folder, followlinks=True):
            real = os.path.realpath(parent)
            if real in self.folders:  # reached before, through a link or another input
                folders.clear()
                continue
            self.folders.add(real)
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                if not name.startswith("."):
                    self._file(Path(parent, name), is_image=_looks_like_image(Path(name)))

    def _file(self, path: Path, *, is_image: bool) -> None:
        resolved = path.resolve()
        if not is_image:
            self.others += 1
        elif self.exclude is not None and resolved.is_relative_to(self.exclude.resolve()):
            self.excluded += 1
        else:
            self.found.setdefault(resolved, path)

    def named(self) -> tuple[SourceImage, ...]:
        """The files with names relative to what all inputs share, in natural order."""
        common = os.path.commonpath([os.path.abspath(root) for root in self.roots])
        names = {path: Path(os.path.relpath(os.path.abspath(path), common)).as_posix() for path in self.found.values()}
        images = [SourceImage(path, name) for path, name in names.items()]
        return tuple(sorted(images, key=lambda image: natural_key(image.name)))

    def passed_over(self, inputs: Sequence[str]) -> tuple[Finding, ...]:
        """What was seen and not taken."""
        told = {
            "not-an-image-file": (self.others, f"{', '.join(inputs)}: file(s) without an image suffix"),
            "output-not-input": (self.excluded, f"{self.exclude}: picture(s) of the output folder"),
        }
        return tuple(
            Finding(code, "info", f"{what} passed over: {count}.") for code, (count, what) in told.items() if count
        )


def _looks_like_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _fixed_part(pattern: str) -> Path:
    """The folders of a pattern before its first wildcard."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    return Path(*fixed)
