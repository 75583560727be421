"""Which file an image of the JSON means. Never a guess: several candidates are a finding."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.file_names import leads_outside, parts_of
from kpt_tools.entities import Finding, ImageRecord
from kpt_tools.errors import ConfigError
from kpt_tools.records.image_structure import SUFFIX_FORMAT

_PLAIN = re.compile(r"(?:(?!\.\.?/)[^/\\:]+/)*(?!\.\.?$)[^/\\:]+")
"""A name that says by itself where its file lies: no folder up or here, no drive."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The file of an image, or why there is none.

    Attributes:
        root: the folder.
        name: of the file, relative to the folder, with forward slashes.
        problem: why there is none.
        note: says that the name had to be bent.
    """

    root: Path
    name: str | None = None
    problem: Finding | None = None
    note: Finding | None = None

    @property
    def path(self) -> Path | None:
        """The file."""
        return None if self.name is None else self.root / self.name


class ImageFolder:
    """A folder of images with sub-folders.

    An image is looked for under its `file_name`, under the tails of coco-annotator's `path`
    (``/datasets/<name>/sub/a.jpg``: ``<name>/sub/a.jpg``, ``sub/a.jpg``), then by its base name anywhere below.
    """

    def __init__(self, root: Path) -> None:
        """Take the folder `root`.

        Raises:
            ConfigError: there is no such folder.
        """
        if not root.is_dir():
            what = "is a file" if root.exists() else "no such folder"
            raise ConfigError(f"{root}: {what}; expected the folder of the annotated images. Check --images.")
        self.root = root
        self.shown = str(root)

    def find(self, image: ImageRecord) -> Lookup:
        """The file of `image`."""
        name = image.file_name
        if not image.source_path and _PLAIN.fullmatch(name) and self._is_file(name):
            return Lookup(self.root, name)
        parts = parts_of(name)
        if leads_outside(name):
            message = f"{name}: leads out of {self.shown}; expected a name inside it. Not opened."
            return Lookup(self.root, problem=finding("image-path-outside", message, image=name))
        named = self._existing("/".join(parts))
        if named and len(parts) > 1:
            return Lookup(self.root, named)
        exact = _distinct([named, *(self._existing(tail) for tail in _tails(image.source_path))])
        if len(exact) == 1:
            return Lookup(self.root, exact[0])
        return self._ambiguous(image, exact) if exact else self._by_base_name(image, parts[-1] if parts else name)

    def pictures(self) -> list[Path]:
        """All files of the folder and below it that end like a picture, in order of their names."""
        paths = (self.root / name for names in self._files_by_name.values() for name in names)
        return sorted(path for path in paths if path.suffix.lower() in SUFFIX_FORMAT)

    def relative(self, path: Path) -> str:
        """The name of a file of the folder, relative to it, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def _existing(self, name: str) -> str | None:
        return name if self._is_file(name) else None

    def _is_file(self, name: str) -> bool:
        return os.path.isfile(f"{self.shown}/{name}")

    def _by_base_name(self, image: ImageRecord, base: str) -> Lookup:
        found = self._files_by_name.get(_folded(base), [])
        exact = [name for name in found if name.rpartition("/")[2] == base]
        if len(exact or found) > 1:
            return self._ambiguous(image, exact or found)
        if exact:
            return Lookup(self.root, exact[0])
        if not found:
            message = f"{image.file_name}: no such file in {self.shown} or below it. Copy it there or correct --images."
            return Lookup(self.root, problem=finding("image-missing", message, image=image.file_name))
        message = f"{image.file_name}: taken from '{found[0]}', whose name differs in case or accents."
        return Lookup(self.root, found[0], note=finding("image-name-case", message, image=image.file_name))

    def _ambiguous(self, image: ImageRecord, names: Sequence[str]) -> Lookup:
        listed = ", ".join(f"'{name}'" for name in names[:3])
        message = (
            f"{image.file_name}: could be any of {len(names)} files ({listed}); expected one. "
            "Write the sub-folder into file_name, or remove the others."
        )
        return Lookup(self.root, problem=finding("image-ambiguous", message, image=image.file_name))

    @cached_property
    def _files_by_name(self) -> dict[str, list[str]]:
        table: defaultdict[str, list[str]] = defaultdict(list)
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            inside = Path(folder).relative_to(self.root)
            for file in sorted(files):
                table[_folded(file)].append((inside / file).as_posix())
        return table


class ListedFolder(ImageFolder):
    """A folder on another filesystem, of which the names of all files are known."""

    def __init__(self, root: Path, names: Sequence[str], shown: str) -> None:
        """Take the folder `root`.

        Args:
            root: the folder.
            names: of its files, relative to it, with forward slashes.
            shown: what messages call it.
        """
        self.root, self.shown = root, shown
        self._names = frozenset(names)

    def _is_file(self, name: str) -> bool:
        return name in self._names

    @cached_property
    def _files_by_name(self) -> dict[str, list[str]]:
        table: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            table[_folded(name.rpartition("/")[2])].append(name)
        return table


def _folded(name: str) -> str:
    """A name without differences of case and of Unicode form (macOS writes accents apart)."""
    return unicodedata.normalize("NFC", name).casefold()


def _tails(source_path: str) -> list[str]:
    """Ends of coco-annotator's `path` with at least one folder, longest first; none if it climbs."""
    parts = [part for part in source_path.replace("\\", "/").split("/") if part]
    if ".." in parts:
        return []
    return ["/".join(parts[start:]) for start in range(len(parts) - 1)]


def _distinct(names: Sequence[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name is not None))
