"""The CAT data set: ``NAME.jpg`` beside ``NAME.jpg.cat`` with the nine points of a cat's head.

A ``.cat`` file is one line of whole numbers: their count of points, then x and y of each (pixels of the stored picture,
which has no EXIF orientation). "Left" is left in the image. Points may lie outside the image.
Source: W. Zhang, J. Sun, X. Tang, "Cat Head Detection", ECCV 2008; the set is on Kaggle as crawford/cat-dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import box_of_keypoints, extent
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, KeypointXyv, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_text

SUFFIX = ".cat"
KEYPOINTS = (
    "left_eye",
    "right_eye",
    "mouth",
    "left_ear_outer",
    "left_ear_tip",
    "left_ear_inner",
    "right_ear_inner",
    "right_ear_tip",
    "right_ear_outer",
)
CHOSEN = KEYPOINTS[:3]
"""The points that the document trains on."""
SOURCE = "https://www.kaggle.com/datasets/crawford/cat-dataset"

_SKELETON = ((0, 2), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8))
_CATEGORY = Category(1, "cat", KEYPOINTS, _SKELETON, "animal")

SizeOf = Callable[[Path], tuple[int, int] | None]
"""Width and height of the picture in a file, or None if it cannot be read."""


def parse_cat(text: str) -> tuple[tuple[float, float], ...]:
    """The nine points of a ``.cat`` file.

    Returns:
        x, y in pixels, in the order of `KEYPOINTS`.

    Raises:
        DataError: not numbers, another count than nine, or another number of values than the count promises. The
            message names no file.
    """
    try:
        values = [int(word) for word in text.split()]
    except ValueError as exc:
        raise DataError(f"holds something that is no whole number ({str(exc).rpartition(': ')[2]})") from exc
    if not values:
        raise DataError("is empty")
    if values[0] != len(KEYPOINTS):
        raise DataError(f"says that it has {values[0]} points")
    if len(values) != 1 + 2 * len(KEYPOINTS):
        raise DataError(f"has {len(values) - 1} coordinates")
    return tuple((float(x), float(y)) for x, y in zip(values[1::2], values[2::2], strict=True))


def read_cat_folder(folder: Path, size_of: SizeOf) -> tuple[Dataset, Report]:
    """Read all ``.cat`` files of a folder and the folders below it.

    Each picture is an image with one object of class "cat": nine points with v = 2, and as its box their extent,
    clipped to the picture. What cannot be used is reported and left out: a ``.cat`` file without its picture, and one
    that is malformed. A picture without a ``.cat`` file stays, without an object.

    Args:
        folder: the folder, such as ``CAT_00``.
        size_of: tells the size of a picture.

    Raises:
        ConfigError: there is no such folder, or no ``.cat`` file in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; expected a folder of CAT with NAME.jpg and NAME.jpg.cat.")
    labels = sorted(path for path in folder.rglob(f"*{SUFFIX}") if path.is_file())
    if not labels:
        raise ConfigError(f"{folder}: no file NAME.jpg{SUFFIX} in it; expected a folder of CAT ({SOURCE}).")
    report = Report()
    points = {path.with_suffix(""): _points_of(path, folder, report) for path in labels}
    pictures = sorted({path for path in points if path.is_file()} | _unlabelled(folder, points))
    images, instances = [], []
    for number, path in enumerate(pictures, start=1):
        width, height = size_of(path) or (0, 0)
        images.append(ImageRecord(number, path.relative_to(folder).as_posix(), width, height))
        found = points.get(path)
        if found is not None:
            instances.append(_instance(number, found, width, height))
    return Dataset(tuple(images), (_CATEGORY,), tuple(instances), str(folder)), report


def _points_of(path: Path, folder: Path, report: Report) -> tuple[tuple[float, float], ...] | None:
    """The points of one file, or None (told)."""
    name = path.relative_to(folder).as_posix()
    if not path.with_suffix("").is_file():
        message = f"{name}: its picture '{path.stem}' is not beside it; left out. Copy it there."
        report.extend([finding("label-without-image", message, image=name)])
        return None
    try:
        return parse_cat(read_text(path, what="CAT file"))
    except (DataError, ConfigError) as exc:
        message = f"{name}: {exc}; expected the count 9 and nine pairs x y of whole numbers. Left out."
        report.extend([finding("label-invalid", message, image=name)])
        return None


def _unlabelled(folder: Path, points: Mapping[Path, object]) -> set[Path]:
    """Pictures of the kinds that the labelled ones have, without a label of their own."""
    suffixes = {path.suffix.lower() for path in points}
    return {path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()} - set(points)


def _instance(number: int, points: Sequence[tuple[float, float]], width: int, height: int) -> Instance:
    labelled: tuple[KeypointXyv, ...] = tuple((x, y, 2) for x, y in points)
    known = width > 0 and height > 0
    whole = extent([x for x, _ in points], [y for _, y in points])
    box = box_of_keypoints(labelled, width, height, 0.0) if known else whole
    return Instance(number, number, _CATEGORY.id, box, box[2] * box[3] if box else 0.0, labelled)
