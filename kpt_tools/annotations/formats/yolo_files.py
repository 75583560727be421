"""The files of a YOLO pose data set: which images data.yaml means, and where their labels lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import IMAGE_SUFFIXES, Format, ReadOptions
from kpt_tools.annotations.formats.yolo_pose import NAME, YAML_NAME, YoloImage, parse, write
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
        self.findings: list[Finding] = []

    def add_split(self, split: str, value: object, root: object) -> None:
        """Take all images of a split: a folder, a list file, or several of them."""
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str) and entry:
                self._add_entry(split, entry, str(root or ""))

    def _add_entry(self, split: str, entry: str, root: str) -> None:
        folder = self._resolve(entry, root)
        if folder is None:
            where = f"{self.file}: {split}: '{entry}' is not there"
            self.findings.append(finding("label-without-image", f"{where}; expected a folder of images. Left out."))
            return
        if folder.is_file():
            names = [
                Path(line.strip()) for line in read_text(folder, what="list of images").splitlines() if line.strip()
            ]
            rows = [(name if name.is_absolute() else folder.parent / name, name.as_posix()) for name in names]
        else:
            rows = [(path, path.relative_to(folder).as_posix()) for path in _images_below(folder)]
            self._tell_lonely_labels(folder, {path for path, _ in rows})
        for path, name in rows:
            self._add_image(path.resolve(), split, name.removeprefix("./"))

    def _resolve(self, entry: str, root: str) -> Path | None:
        """The first place that exists of those where Ultralytics looks."""
        home = self.file.parent
        climbed = entry.removeprefix("../")  # Roboflow writes ../train/images beside train/images
        places = (home / root / entry, home / entry, home / root / climbed, home / climbed)
        return next((place for place in places if place.exists()), None)

    def _add_image(self, path: Path, split: str, name: str) -> None:
        if path in self.images:
            return
        size = self.options.size_of(path)
        if size is None:
            message = f"{name}: its size cannot be read from {path}; left out with its objects."
            self.findings.append(finding("image-size-unknown", message, image=name))
            return
        label = label_path(path)
        text = read_text(label, what="YOLO label file") if label.is_file() else None
        self.images[path] = (split, name, YoloImage(name, *size, text))

    def _tell_lonely_labels(self, folder: Path, images: set[Path]) -> None:
        """Tell of label files whose image is not there: the trainer passes them over without a word."""
        labels = label_path(folder / "x.jpg").parent
        known = {label_path(path) for path in images}
        for path in sorted(labels.rglob("*.txt")) if labels != folder else []:
            if path not in known:
                message = f"{path}: no image of this name in {folder}; expected one. Left out."
                self.findings.append(finding("label-without-image", message, image=path.stem))

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
