"""A data set as DeepLabCut's labelled frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import PurePosixPath

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import WriteOptions, Written, inexpressible, losses
from kpt_tools.annotations.formats.deeplabcut import HEAD, ROOT
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance
from kpt_tools.errors import ConfigError, DataError


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """``<video>/CollectedData_<scorer>.csv`` per folder of images, with the places of the images beside.

    With at most one object per image it is a project with one animal, otherwise one with individuals.

    Raises:
        ConfigError: several classes with keypoints, and none of them chosen.
        DataError: no class with keypoints, or two images with one name.
    """
    category = _category(dataset, options)
    chosen = tuple(row for row in dataset.instances if row.category_id == category.id)
    kept = tuple(row for row in chosen if row.num_labelled)
    held = Dataset(dataset.images, (category,), kept, dataset.source)
    findings = losses(held, "DeepLabCut", visibility=True, skeleton=True, segmentation=True, crowd=True, boxes=True)
    names = {image.id: image.file_name for image in dataset.images}
    kept_ids = {row.id for row in kept}
    for row in dataset.instances:
        if row.id not in kept_ids:
            why = "no labelled points" if row.category_id == category.id else f"only '{category.name}' is written"
            findings.append(inexpressible(row, dataset.category_by_id[row.category_id], names[row.image_id], why))
    most = max((len(rows) for rows in held.instances_of_image.values()), default=0)
    places = _places(dataset.images, options.folder)
    tables: dict[str, list[ImageRecord]] = {}
    for image in dataset.images:
        tables.setdefault(str(places[image.id].parent), []).append(image)
    files: dict[str, str | bytes] = {}
    for folder, images in tables.items():
        rows = _rows(images, held, category, most, options.scorer, places)
        files[f"{folder}/CollectedData_{options.scorer}.csv"] = _text(rows)
    if not files:
        raise DataError(f"{dataset.source}: no images; nothing to convert. Is this the right file?")
    if most > 1:
        message = f"DeepLabCut: up to {most} objects in an image; they are the individuals {category.name}1, ..."
        findings.append(finding("class-lost", message))
    return Written(files, {key: str(path) for key, path in places.items()}, tuple(findings))


def _category(dataset: Dataset, options: WriteOptions) -> Category:
    with_points = [category for category in dataset.categories if category.keypoints]
    used = {instance.category_id for instance in dataset.instances if instance.num_labelled}
    fitting = [category for category in with_points if options.category in (None, category.name)]
    if len(fitting) > 1:
        fitting = [category for category in fitting if category.id in used] or fitting[:1]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(category.name for category in with_points)
    if not with_points:
        raise DataError(f"{dataset.source}: no class has keypoints, and DeepLabCut holds nothing else.")
    asked = f"--category '{options.category}' is not there" if options.category else "DeepLabCut holds one class"
    raise ConfigError(f"{dataset.source}: {asked}; classes with keypoints: {names}. Choose one with --category.")


def _places(images: Sequence[ImageRecord], folder: str) -> dict[int, PurePosixPath]:
    """``labeled-data/<video>/<base name>``; the video is the image's folder, or the output folder's name."""
    places: dict[int, PurePosixPath] = {}
    taken: dict[PurePosixPath, str] = {}
    for image in images:
        path = PurePosixPath(image.file_name)
        video = "_".join(path.parent.parts) or folder
        place = PurePosixPath(ROOT) / video / path.name
        if place in taken:
            raise DataError(
                f"{image.file_name}: '{taken[place]}' would have the same place {place}. Rename one of them."
            )
        taken[place] = image.file_name
        places[image.id] = place
    return places


def _rows(
    images: Sequence[ImageRecord],
    dataset: Dataset,
    category: Category,
    most: int,
    scorer: str,
    places: dict[int, PurePosixPath],
) -> list[list[str]]:
    individuals = [f"{category.name}{number}" for number in range(1, most + 1)] if most > 1 else [""]
    columns = [(who, part, axis) for who in individuals for part in category.keypoints for axis in ("x", "y")]
    head = {
        "scorer": [scorer] * len(columns),
        "individuals": [who for who, _, _ in columns],
        "bodyparts": [part for _, part, _ in columns],
        "coords": [axis for _, _, axis in columns],
    }
    rows = [[key, "", "", *head[key]] for key in HEAD if key != "individuals" or most > 1]
    for image in images:
        cells: list[str] = []
        for instance in dataset.instances_of_image[image.id]:
            cells += _cells(instance)
        rows.append([*places[image.id].parts, *cells, *[""] * (len(columns) - len(cells))])
    return rows


def _cells(instance: Instance) -> list[str]:
    return [
        cell for x, y, v in instance.keypoints_xyv for cell in ((repr(float(x)), repr(float(y))) if v else ("", ""))
    ]


def _text(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
