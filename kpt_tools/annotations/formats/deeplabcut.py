"""DeepLabCut's labelled frames: ``CollectedData_<scorer>.csv`` (or .h5), a row per image, a column pair per body part.

The head has the rows scorer, (individuals,) bodyparts, coords. The image's path is one cell
(``labeled-data/video/img1.png``) or, since DeepLabCut 2.2, three. There are no boxes, no classes and no visibility.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import DEFAULT_CLASS, ReadOptions
from kpt_tools.annotations.formats.drafts import Picture, Point, Shape, assemble
from kpt_tools.entities import Dataset, Report
from kpt_tools.errors import DataError

HEAD = ("scorer", "individuals", "bodyparts", "coords")
# The individual that holds the body parts which exist once per image.
UNIQUE = "single"
ROOT = "labeled-data"
_ONLY = "animal"


@dataclass(frozen=True)
class _Column:
    """Columns x and y of one body part of one individual; without individuals the key is `_ONLY`."""

    key: str
    part: str
    x: int
    y: int


_Row = tuple[PurePosixPath, tuple[Point, ...]]


def parse(tables: Mapping[str, str], source: str, options: ReadOptions) -> tuple[Dataset, Report]:
    """The data set of one or several tables.

    Args:
        tables: CSV text by name of its file.
        source: for messages.
        options: the class of the individuals, or classes with the order of the keypoints.

    Raises:
        DataError: a table has not the head of DeepLabCut's labelled frames.
    """
    report = Report()
    rows: list[_Row] = []
    columns: list[_Column] = []
    for name, text in tables.items():
        found, more = _parse_table(list(csv.reader(io.StringIO(text))), name, report)
        columns += found
        rows += more
    keypoints = _classes(columns, options, source, report)
    shapes = {column.key: Shape(column.key, _class_of(column, keypoints), None) for column in columns}
    bases = Counter(path.name for path, _ in rows)
    single = all(count == 1 for count in bases.values())
    pictures = []
    for path, points in rows:
        name = path.name if single else _below_root(path)
        own = tuple(shapes[key] for key in dict.fromkeys(point.key for point in points))
        pictures.append(Picture(name, 0, 0, own, points))
    return assemble(pictures, options, source, report, keypoints), report


def _classes(
    columns: Sequence[_Column], options: ReadOptions, source: str, report: Report
) -> dict[str, tuple[str, ...]]:
    """The class of the individuals with its body parts in order, and that of the unique body parts, if there are any.

    Raises:
        DataError: `options` has several classes, and none or more than one of them has these body parts.
    """
    common = tuple(dict.fromkeys(column.part for column in columns if column.key != UNIQUE))
    unique = tuple(dict.fromkeys(column.part for column in columns if column.key == UNIQUE))
    if not common:
        common, unique = unique, ()
    name = options.category
    if not name and options.classes:
        fitting = [row.name for row in options.classes if set(common) <= set(row.keypoints)]
        if len(fitting) != 1:
            raise DataError(
                f"{source}: body parts are {', '.join(common)}; {len(fitting)} classes of --classes have them all, "
                "expected one. Name the class with --category."
            )
        name = fitting[0]
    if not name:
        name = DEFAULT_CLASS
        message = f"{source}: DeepLabCut tells no class; its objects are taken as '{name}'."
        report.extend([finding("class-assumed", message)])
    return {name: common, UNIQUE: unique} if unique else {name: common}


def _class_of(column: _Column, keypoints: Mapping[str, tuple[str, ...]]) -> str:
    return UNIQUE if column.key == UNIQUE and len(keypoints) > 1 else next(iter(keypoints))


def _below_root(path: PurePosixPath) -> str:
    parts = path.parts
    return "/".join(parts[1:] if parts[0] == ROOT else parts)


def _parse_table(rows: Sequence[Sequence[str]], name: str, report: Report) -> tuple[list[_Column], list[_Row]]:
    head, columns = _head(rows, name)
    index = len(rows[0]) - 2 * len(columns)
    body = []
    for number, row in enumerate(rows[head:], start=head + 1):
        path = "/".join(cell.replace("\\", "/") for cell in row[:index] if cell)
        if not path:
            continue
        points = []
        for column in columns:
            point = _point(row, column)
            if isinstance(point, str):
                report.extend([finding("label-invalid", f"{name}: line {number}: {point}; left out.", image=path)])
            elif point is not None:
                points.append(point)
        body.append((PurePosixPath(path), tuple(points)))
    return columns, body


def _point(row: Sequence[str], column: _Column) -> Point | str | None:
    """The point, None if both cells are empty, or what is wrong with them."""
    cells = [row[at].strip() if at < len(row) else "" for at in (column.x, column.y)]
    if all(cell.lower() in ("", "nan") for cell in cells):
        return None
    try:
        x, y = (float(cell) for cell in cells)
    except ValueError:
        return f"'{column.part}' is at '{cells[0]}', '{cells[1]}'; expected two numbers or nothing"
    if not (math.isfinite(x) and math.isfinite(y)):
        return f"'{column.part}' is at {x}, {y}; expected two numbers or nothing"
    return Point(column.key, column.part, (x, y, 2))


def _head(rows: Sequence[Sequence[str]], name: str) -> tuple[int, list[_Column]]:
    """The number of head rows, and the columns."""
    table = {row[0]: row for row in rows[: len(HEAD)] if row and row[0] in HEAD}
    if not {"scorer", "bodyparts", "coords"} <= set(table):
        found = ", ".join(row[0] for row in rows[:3] if row) or "nothing"
        raise DataError(f"{name}: its first rows are {found}; expected scorer, bodyparts, coords of DeepLabCut.")
    coords = table["coords"]
    if "likelihood" in coords:
        raise DataError(f"{name}: has likelihoods, so it holds predictions for a video; expected labelled frames.")
    start = next((at for at, cell in enumerate(coords) if cell == "x"), len(coords))
    if start == len(coords) or list(coords[start:]) != ["x", "y"] * ((len(coords) - start) // 2):
        raise DataError(f"{name}: coords are {', '.join(coords[1:6])} ...; expected x, y for each body part.")
    individuals = table.get("individuals")
    columns = []
    for at in range(start, len(coords), 2):
        individual = individuals[at] if individuals is not None else _ONLY
        columns.append(_Column(individual, table["bodyparts"][at], at, at + 1))
    return len(table), columns
