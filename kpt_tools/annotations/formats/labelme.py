"""LabelMe: one JSON per image; shapes with one ``group_id`` are one object.

A rectangle (or polygon) gives class and box, points are keypoints. LabelMe has no visibility: a hidden point (v = 1)
has the flag "occluded", and X-AnyLabeling's ``difficult`` is read like it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import Format, ReadOptions, WriteOptions, Written, box_around, losses, outlines
from kpt_tools.annotations.formats.drafts import Picture, Point, Shape, assemble
from kpt_tools.annotations.formats.plain_coco import as_json
from kpt_tools.annotations.json_values import as_int, as_number, as_text, shown
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json

NAME = "labelme"
_VERSION = "5.4.1"
_OCCLUDED = "occluded"


def read(path: Path, options: ReadOptions) -> tuple[Dataset, Report]:
    """Read one file, or all of a folder with its sub-folders.

    Raises:
        ConfigError: there is none.
        DataError: a file is not JSON, or none is LabelMe's.
    """
    root = path if path.is_dir() else path.parent
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"{path}: no JSON file; expected LabelMe's files. Check the path.")
    raw = {file.relative_to(root).as_posix(): read_json(file, what="LabelMe JSON") for file in files}
    return parse(raw, str(path), options)


def is_labelme(raw: object) -> bool:
    """Whether this is the content of a LabelMe file."""
    return isinstance(raw, dict) and isinstance(raw.get("shapes"), list) and "imagePath" in raw


def parse(raw: Mapping[str, object], source: str, options: ReadOptions) -> tuple[Dataset, Report]:
    """The data set of parsed files.

    Args:
        raw: content by path of the file; image names are relative to the same folder.
        source: for messages.
        options: classes to use.

    Raises:
        DataError: none of them is LabelMe's.
    """
    report = Report()
    others: Counter[str] = Counter()
    pictures = []
    for name, content in raw.items():
        if isinstance(content, dict) and is_labelme(content):
            pictures.append(_picture(name, content, others, report))
        else:
            message = f"{name}: {shown(content)} has no 'shapes' and 'imagePath'; expected a LabelMe file. Left out."
            report.extend([finding("label-invalid", message)])
    if not pictures:
        raise DataError(f"{source}: no LabelMe file among {len(raw)} JSON files; expected 'shapes' and 'imagePath'.")
    for kind, count in (+others).items():
        report.extend([finding("attribute-lost", f"{source}: {count} {kind} are left away.")])
    return assemble(pictures, options, source, report), report


def _picture(file: str, content: Mapping[str, Any], others: Counter[str], report: Report) -> Picture:
    image_path = as_text(content["imagePath"]).replace("\\", "/") or PurePosixPath(file).with_suffix(".jpg").name
    parts = [part for part in PurePosixPath(PurePosixPath(file).parent / image_path).parts if part not in (".", "/")]
    if ".." in parts:  # an image in a folder beside: its base name is what can be looked for
        parts = parts[-1:]
    name = "/".join(parts)
    shapes: list[Shape] = []
    points: list[Point] = []
    for number, row in enumerate(content["shapes"]):
        found, problem = _shape(row)
        if isinstance(found, Shape):
            shapes.append(found)
        elif found is not None:
            points.append(found)
        else:
            code = "shape-unsupported" if problem.startswith("shape_type") else "label-invalid"
            report.extend([finding(code, f"{file}: shapes[{number}]: {problem}; left out.", image=name)])
        others["descriptions"] += isinstance(row, dict) and bool(row.get("description"))
    flags = content.get("flags")
    others["flags of images"] += isinstance(flags, dict) and any(flags.values())
    width, height = as_int(content.get("imageWidth")) or 0, as_int(content.get("imageHeight")) or 0
    return Picture(name, width, height, tuple(shapes), tuple(points))


def _shape(row: object) -> tuple[Shape | Point | None, str]:
    """The shape, or what is wrong with it."""
    if not isinstance(row, dict) or not as_text(row.get("label")):
        return None, f"{shown(row)} has no label"
    label, kind = as_text(row["label"]), str(row.get("shape_type") or "polygon")
    key = "" if row.get("group_id") is None else str(row["group_id"])
    corners = row.get("points") if isinstance(row.get("points"), list) else []
    pairs = [(as_number(p[0]), as_number(p[1])) for p in corners or [] if isinstance(p, list) and len(p) == 2]
    xy = [(x, y) for x, y in pairs if x is not None and y is not None]
    if not xy or len(xy) != len(corners or []):
        return None, f"'{label}': points are {shown(row.get('points'))}; expected pairs of numbers"
    if kind == "point":
        return Point(key, label, (*xy[0], 1 if _hidden(row) else 2)), ""
    box = box_around((x for x, _ in xy), (y for _, y in xy))
    if kind not in ("rectangle", "polygon"):
        return None, f"shape_type '{kind}' of '{label}'; expected rectangle, polygon or point"
    if box is None or (kind == "polygon" and len(xy) < 3):
        return None, f"'{label}': {kind} without an area"
    outline = (tuple(value for corner in xy for value in corner),) if kind == "polygon" else ()
    return Shape(key, label, box, outline), ""


def _hidden(row: Mapping[str, Any]) -> bool:
    flags = row.get("flags")
    return bool(row.get("difficult")) or (isinstance(flags, dict) and bool(flags.get(_OCCLUDED)))


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """One JSON beside each image; objects are numbered within their image by ``group_id``."""
    findings = losses(dataset, "LabelMe", skeleton=True, crowd=True)
    files: dict[str, str | bytes] = {}
    for image in dataset.images:
        path = str(PurePosixPath(image.file_name).with_suffix(".json"))
        if path in files:
            raise DataError(f"{image.file_name}: another image would have the file {path}, too. Rename one of them.")
        shapes = []
        for number, instance in enumerate(dataset.instances_of_image[image.id], start=1):
            category = dataset.category_by_id[instance.category_id]
            shapes += _shapes(instance, category, number)
            if not (instance.box_xywh_px or instance.segmentation) and instance.num_labelled:
                message = f"{image.file_name}: annotation {instance.id} ('{category.name}'): no box to carry its class."
                findings.append(finding("class-lost", message, image=image.file_name, annotation_id=instance.id))
        files[path] = as_json(_file(image, shapes))
    return Written(files, {image.id: image.file_name for image in dataset.images}, tuple(findings))


def _file(image: ImageRecord, shapes: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": PurePosixPath(image.file_name).name,
        "imageData": None,
        "imageHeight": image.height or None,
        "imageWidth": image.width or None,
    }


def _shapes(instance: Instance, category: Category, number: int) -> list[Mapping[str, Any]]:
    rows = []
    if instance.box_xywh_px is not None:
        x, y, w, h = instance.box_xywh_px
        rows.append(_row(category.name, [[x, y], [x + w, y + h]], number, "rectangle"))
    for polygon in outlines(instance):
        corners = [[x, y] for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
        rows.append(_row(category.name, corners, number, "polygon"))
    for name, (x, y, v) in zip(category.keypoints, instance.keypoints_xyv, strict=False):
        if v > 0:
            rows.append(_row(name, [[x, y]], number, "point", {_OCCLUDED: True} if v == 1 else {}))
    return rows


def _row(
    label: str, points: list[list[float]], number: int, kind: str, flags: Mapping[str, bool] | None = None
) -> Mapping[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": number,
        "description": "",
        "shape_type": kind,
        "flags": dict(flags or {}),
        "mask": None,
    }


FORMAT = Format(NAME, read, write, upright=True, is_file=False)
