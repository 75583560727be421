"""Whether coco-annotator's importer would keep what a COCO file holds, found out before anything is sent.

What it does was read from its own source, ``backend/workers/tasks/data.py`` of jsbroks/coco-annotator: pictures are
found by their exact file name, categories by name whatever the case; box and area are stored only beside a
segmentation; an object without segmentation and keypoints is left out; a category that is not found is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kpt_tools.annotations.coco import root_lists
from kpt_tools.annotations.json_values import as_int, as_numbers, as_text, shown
from kpt_tools.annotator.client import Listing
from kpt_tools.config.base import did_you_mean
from kpt_tools.entities import Finding, Report, Severity

Row = dict[str, Any]


@dataclass(frozen=True)
class Remote:
    """What the data set on the server has.

    Attributes:
        listing: its pictures and categories.
        keypoints: keypoint names by category name in lower case, of categories that have some; empty if unknown.
        new_categories: let the importer make the categories that are missing.
    """

    listing: Listing
    keypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    new_categories: bool = False


@dataclass(frozen=True)
class Upload:
    """What may be sent.

    Attributes:
        coco: the file without what the importer would lose or spoil.
        lost: how many objects that leaves out.
        findings: why, and what else is worth knowing.
    """

    coco: dict[str, list[Row]]
    lost: int
    findings: tuple[Finding, ...]


def check_upload(raw: object, source: str, remote: Remote) -> Upload:
    """Compare a COCO file with the data set that it is meant for.

    Args:
        raw: the parsed file.
        source: its name, for messages.
        remote: the data set.

    Raises:
        DataError: not a COCO file at all.
    """
    root = root_lists(raw, source)
    report = Report()
    images = _images(root["images"], remote, source, report)
    categories = _categories(root["categories"], remote, source, report)
    known = _Known(images, categories, _ids(root["images"]), _ids(root["categories"]))
    kept: list[Row] = []
    for index, row in enumerate(root["annotations"]):
        problem = _object_problem(row, known)
        if problem is None:
            kept.append(row)
        elif problem.code:
            where = f"{source}: annotations[{index}]"
            name = str(known.images.get(as_int(row.get("image_id")) or -1, {}).get("file_name", "")) if _is(row) else ""
            report.add(problem.code, "error", f"{where}: {problem.text}", image=name, annotation_id=_id(row))
    used = {row["image_id"] for row in kept}
    _tell_of_earlier_objects({str(images[image_id]["file_name"]) for image_id in used}, remote, report)
    coco = {
        "images": [row for image_id, row in images.items() if image_id in used],
        "categories": list(categories.values()),
        "annotations": kept,
    }
    return Upload(coco, len(root["annotations"]) - len(kept), tuple(report.findings))


@dataclass(frozen=True)
class _Known:
    """Images and categories that the server will find, by id; and the ids that the file has at all."""

    images: Mapping[int, Row]
    categories: Mapping[int, Row]
    image_ids: frozenset[int]
    category_ids: frozenset[int]


@dataclass(frozen=True)
class _Problem:
    """Why an object is left out; no code: a finding about its picture or category has said so."""

    code: str = ""
    text: str = ""


def _images(rows: list[Any], remote: Remote, source: str, report: Report) -> dict[int, Row]:
    counts = Counter(image.file_name for image in remote.listing.images)
    found: dict[int, Row] = {}
    for index, row in enumerate(rows):
        image_id, name = _id(row), as_text(row.get("file_name")) if _is(row) else ""
        where = f"{source}: images[{index}]"
        base = name.rpartition("/")[2]
        if image_id is None or not name:
            report.add("upload-image-invalid", "error", f"{where}: is {shown(row)}; expected an id and a file name.")
        elif counts[name] == 1:
            found[image_id] = row
        elif counts[name] == 0 and counts[base] == 1:
            found[image_id] = {**row, "file_name": base}
            message = f"{where}: '{name}' is '{base}' in the data set; sent under that name."
            report.add("upload-image-renamed", "info", message, image=name)
        else:
            code, text = _image_trouble(name, max(counts[name], counts[base]))
            report.add(code, "error", f"{where}: {text}", image=name)
    return found


def _image_trouble(name: str, count: int) -> tuple[str, str]:
    if count:
        return "upload-image-ambiguous", (
            f"{count} pictures of the data set are named '{name.rpartition('/')[2]}'; the importer needs one and takes "
            "none of them. Rename them on the server."
        )
    return "upload-image-unknown", (
        f"no picture of the data set is named '{name}'; the importer wants the exact name. Is it the right data set?"
    )


def _categories(rows: list[Any], remote: Remote, source: str, report: Report) -> dict[int, Row]:
    names = {name.lower(): name for name in remote.listing.categories}
    found: dict[int, Row] = {}
    for index, row in enumerate(rows):
        category_id, name = _id(row), as_text(row.get("name")) if _is(row) else ""
        severity, code, text = _category_trouble(row, name, names, remote)
        if category_id is None or not name:
            severity, code, text = "error", "upload-category-invalid", f"is {shown(row)}; expected an id and a name."
        if code:
            report.add(code, severity, f"{source}: categories[{index}]: {text}")
        if category_id is not None and (not code or severity == "info"):
            found[category_id] = row
    return found


def _category_trouble(row: Any, name: str, names: Mapping[str, str], remote: Remote) -> tuple[Severity, str, str]:
    if name.lower() not in names:
        if remote.new_categories:
            return "info", "upload-category-new", f"'{name}' is not in the data set; the importer makes it."
        known = did_you_mean(name, tuple(names.values())) if names else "; it has no category."
        text = f"'{name}' is not a category of the data set{known} Add it there, or let --new-categories make it."
        return "error", "upload-category-unknown", text
    theirs, ours = remote.keypoints.get(name.lower()), _keypoints(row)
    if theirs is not None and ours != theirs and (ours or theirs):
        text = (
            f"'{name}' has the keypoints {', '.join(ours) or 'none'}; in coco-annotator {', '.join(theirs) or 'none'}. "
            "Points go by their order: expected the same names in the same order."
        )
        return "error", "upload-keypoints-differ", text
    return "info", "", ""


def _object_problem(row: Any, known: _Known) -> _Problem | None:
    if not _is(row):
        return _Problem("upload-object-invalid", f"is {shown(row)}; expected an object.")
    image_id, category_id = as_int(row.get("image_id")), as_int(row.get("category_id"))
    for what, found, ids, good in (
        ("image_id", image_id, known.image_ids, known.images),
        ("category_id", category_id, known.category_ids, known.categories),
    ):
        if found is None or found not in ids:
            return _Problem("upload-object-orphan", f"{what} is {shown(row.get(what))}; the file has no such entry.")
        if found not in good:
            return _Problem()
    return _shape_problem(row) or _points_problem(row, _keypoints(known.categories[category_id or 0]))


def _shape_problem(row: Row) -> _Problem | None:
    polygons = row.get("segmentation") or []
    box = as_numbers(row.get("bbox")) or []
    if not polygons and not row.get("keypoints"):
        text = "has neither segmentation nor keypoints; the importer leaves it out. Write the box as a polygon."
        return _Problem("upload-object-empty", text)
    if not polygons and any(box):
        text = (
            "has a bbox and no segmentation; the importer drops the box then. Write the box as a polygon with four "
            "corners and isbbox: true, as kpt-tools convert does."
        )
        return _Problem("upload-box-lost", text)
    if not isinstance(polygons, list) or not all(_is_polygon(polygon) for polygon in polygons):
        text = f"segmentation is {shown(polygons)}; expected a list of polygons, each a list of x, y, x, y, ..."
        return _Problem("upload-segmentation-invalid", text)
    return None


def _points_problem(row: Row, names: tuple[str, ...]) -> _Problem | None:
    values = row.get("keypoints") or []
    numbers = as_numbers(values)
    if numbers is None:
        return _Problem("upload-keypoints-invalid", f"keypoints are {shown(values)}; expected a list of numbers.")
    if numbers and len(numbers) != 3 * len(names):
        text = f"has {len(numbers)} keypoint values; its class has {len(names)} keypoints: expected {3 * len(names)}."
        return _Problem("upload-keypoints-length", text)
    odd = [value for value in numbers[2::3] if value not in (0, 1, 2)]
    if odd:
        text = f"a keypoint has visibility {odd[0]:g}; expected 0, 1 or 2 (scores belong nowhere in this format)."
        return _Problem("upload-keypoints-visibility", text)
    return None


def _tell_of_earlier_objects(names: set[str], remote: Remote, report: Report) -> None:
    having = sorted(
        image.file_name for image in remote.listing.images if image.annotations and image.file_name in names
    )
    if having:
        some = ", ".join(having[:3]) + (", ..." if len(having) > 3 else "")
        message = f"{len(having)} picture(s) have objects already ({some}); new ones are added beside them."
        report.add("upload-beside-others", "warning", message)


def _is_polygon(value: object) -> bool:
    numbers = as_numbers(value)
    return numbers is not None and len(numbers) >= 6 and len(numbers) % 2 == 0


def _keypoints(row: Row) -> tuple[str, ...]:
    names = row.get("keypoints")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _is(row: object) -> bool:
    return isinstance(row, dict)


def _id(row: Any) -> int | None:
    return as_int(row.get("id")) if isinstance(row, dict) else None


def _ids(rows: list[Any]) -> frozenset[int]:
    return frozenset(row_id for row in rows if (row_id := _id(row)) is not None)
