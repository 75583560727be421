"""The files of a YOLO pose data set: which images data.yaml means, and where their labels lie."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import IMAGE_SUFFIXES, Format, ReadOptions
from kpt_tools.annotations.formats.yolo_pose import NAME, YAML_NAME, YoloImage, check_data, parse, write
from kpt_tools.entities import Dataset, Finding, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_text

SPLITS = ("train", "val", "test")


def read(path: Path, options: ReadOptions) -> tuple[Dataset, Report]:
    """Read the data.yaml `path`, or that of the folder `path`, with the labels of all its splits.

    Raises:
        ConfigError: there is no such file, or no image of it.
        DataError: it is no data.yaml of a pose data set.
    """
    file = path / YAML_NAME if path.is_dir() else path
    data = read_yaml(file)
    check_data(data, str(file))
    found = _Images(file, options)
    for split in SPLITS:
        found.add_split(split, data.get(split), data.get("path"))
    if not found.images:
        raise ConfigError(f"{file}: none of its images was found; expected those of train and val. Use --images.")
    dataset, report = parse(data, found.named(), options, str(file))
    report.extend(found.findings)
    return dataset, report


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file with a table at its top.

    Raises:
        ConfigError: there is no such file.
        DataError: it is not such a file.
    """
    import yaml

    text = read_text(path, what=f"{YAML_NAME} of a YOLO pose data set")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        reason = " ".join(str(exc).split())
        raise DataError(f"{path}: not valid YAML ({reason}); expected the {YAML_NAME} of a data set.") from exc
    if not isinstance(data, dict):
        raise DataError(f"{path}: holds no table; expected the {YAML_NAME} of a data set.")
    return data


class _Images:
    """Gathers the images of all splits with their labels, each image once."""

    def __init__(self, file: Path, options: ReadOptions) -> None:
        self.file, self.options = file, options
        self.images: dict[Path, tuple[str, str, YoloImage]] = {}
        self.labels: set[Path] = set()
        self.findings: list[Finding] = []

    def add_split(self, split: str, value: object, root: object) -> None:
        """Take all images of a split: a folder, a list file, or several of them."""
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str) and entry:
                self._add_entry(split, entry, str(root or ""))

    def _add_entry(self, split: str, entry: str, root: str) -> None:
        places = self._places(entry, root)
        folder = next((place for place in places if place.exists()), None)
        if folder is not None and folder.is_file():
            for line in read_text(folder, what="list of images").splitlines():
                if line.strip():
                    name = line.strip().removeprefix("./")
                    self._add_image(folder.parent / name, split, name)
            return
        label_folders = [label_path(place / "x").parent for place in places]
        labels = next((place for place in label_folders if place.is_dir()), None)
        if folder is None and labels is None:
            message = f"{self.file}: {split}: '{entry}' is not there; expected a folder of images. Left out."
            self.findings.append(finding("label-without-image", message))
        for path in _images_below(folder) if folder else ():
            self._add_image(path, split, path.relative_to(folder or path).as_posix())
        if labels is not None and labels != folder:
            self._add_lonely_labels(labels, split)

    def _places(self, entry: str, root: str) -> tuple[Path, ...]:
        """Where Ultralytics looks for a folder or list, in order."""
        home = self.file.parent
        climbed = entry.removeprefix("../")  # Roboflow writes ../train/images beside train/images
        return home / root / entry, home / entry, home / root / climbed, home / climbed

    def _add_image(self, path: Path, split: str, name: str, label: Path | None = None) -> None:
        path = Path(os.path.abspath(path))  # links stay: their targets have other labels beside them
        label = label or label_path(path)
        self.labels.add(label)
        if path in self.images:
            return
        size = self.options.size_of(path)
        if size is None:
            message = f"{name}: its size cannot be read from {path}; left out with its objects."
            self.findings.append(finding("image-size-unknown", message, image=name))
            return
        text = read_text(label, what="YOLO label file") if label.is_file() else None
        self.images[path] = (split, name, YoloImage(name, *size, text))

    def _add_lonely_labels(self, labels: Path, split: str) -> None:
        """Take label files without an image beside them, if --images has it; the trainer passes them over."""
        for path in sorted(labels.rglob("*.txt")):
            label = Path(os.path.abspath(path))
            if label in self.labels:
                continue
            stem = path.relative_to(labels).with_suffix("").as_posix()
            image = self._elsewhere(stem)
            if image is not None:
                self._add_image(image, split, stem + image.suffix, label)
            else:
                message = f"{path}: no image of this name; expected one. Left out. Put it there, or use --images."
                self.findings.append(finding("label-without-image", message, image=path.stem))

    def _elsewhere(self, stem: str) -> Path | None:
        """The image of this name, without suffix, in the folder of --images, or the only one anywhere below it."""
        exact, by_base = self._given
        found = exact.get(stem) or by_base.get(PurePosixPath(stem).name, [])
        return found[0] if len(found) == 1 else None

    @cached_property
    def _given(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        """The images of --images by path and by base name, both without suffix."""
        exact: dict[str, list[Path]] = {}
        by_base: dict[str, list[Path]] = {}
        below = self.options.images
        for path in _images_below(below) if below else ():
            exact.setdefault(path.relative_to(below or path).with_suffix("").as_posix(), []).append(path)
            by_base.setdefault(path.stem, []).append(path)
        return exact, by_base

    def named(self) -> Sequence[YoloImage]:
        """The images under their names within their split; with the split before names that occur twice."""
        counts = Counter(name for _, name, _ in self.images.values())
        result = []
        for split, name, image in self.images.values():
            unique = name if counts[name] == 1 else f"{split}/{name}"
            if unique != name:
                message = f"{name}: is in several splits; called {unique}."
                self.findings.append(finding("image-renamed", message, image=unique))
            result.append(YoloImage(unique, image.width, image.height, image.text))
        return result


def _images_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def label_path(image: Path) -> Path:
    """Where the labels of an image lie: in ``labels`` in place of the last ``images`` of its path, else beside it."""
    parts = list(PurePosixPath(image.as_posix()).parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


FORMAT = Format(NAME, read, write, upright=True, is_file=False)
