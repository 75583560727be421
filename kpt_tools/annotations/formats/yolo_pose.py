"""YOLO pose (Ultralytics): data.yaml and one text file per image, everything in shares of the image's size.

A line is ``class cx cy w h x1 y1 v1 x2 y2 v2 ...``. All classes have the same number of points (``kpt_shape``) and one
``flip_idx``. A file with a coordinate outside 0..1 is passed over by the trainer as a whole, so boxes are cut at the
border and points outside become not labelled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import UNLABELLED, ReadOptions, WriteOptions, Written, losses, points_of
from kpt_tools.annotations.geometry import fit_instance
from kpt_tools.annotations.json_values import as_text
from kpt_tools.entities import Category, Dataset, Finding, ImageRecord, Instance, KeypointXyv, Report
from kpt_tools.errors import DataError

NAME = "yolo-pose"
YAML_NAME = "data.yaml"
PADDING = "unused_"
_DIGITS = 7
_MOST_POINTS = 10_000
# What `fit_instance` tells of things that this format does not hold anyway.
_SILENT = frozenset({"area-missing", "crowd"})


@dataclass(frozen=True)
class YoloImage:
    """An image with its label file; `text` is None if there is none, which means that nothing is in the image."""

    name: str
    width: int
    height: int
    text: str | None


@dataclass(frozen=True)
class _Layout:
    """How points lie in a line: `num` of them with `dims` values each, for each class its own slots."""

    num: int
    dims: int
    slots: Mapping[int, tuple[int, ...]]


def parse(
    data: Mapping[str, Any], images: Sequence[YoloImage], options: ReadOptions, source: str
) -> tuple[Dataset, Report]:
    """The data set of a parsed data.yaml and its label files.

    Args:
        data: the YAML.
        images: with the size of the upright picture each.
        options: `classes` names the keypoints, which most data.yaml do not.
        source: name of the YAML, for messages.

    Raises:
        DataError: data.yaml is not that of a pose data set, or contradicts `classes`.
    """
    report = Report()
    names = class_names(data, source)
    num, dims = _shape(data, source)
    categories, slots = _categories(data, names, num, options, source, report)
    layout = _Layout(num, dims, slots)
    instances: list[Instance] = []
    records = []
    for number, image in enumerate(images, start=1):
        records.append(ImageRecord(number, image.name, image.width, image.height))
        for line_number, line in enumerate((image.text or "").splitlines(), start=1):
            if not line.strip():
                continue
            found = _parse_line(line, categories, layout, records[-1], len(instances) + 1)
            if isinstance(found, Instance):
                instances.append(found)
            else:
                message = f"{image.name}: line {line_number} of its label file: {found}; left out."
                report.extend([finding("label-invalid", message, image=image.name)])
    return Dataset(tuple(records), tuple(categories), tuple(instances), source), report


def check_data(data: Mapping[str, Any], source: str) -> None:
    """Refuse what is no data.yaml of a pose data set.

    Raises:
        DataError: it is not.
    """
    class_names(data, source)
    _shape(data, source)


def class_names(data: Mapping[str, Any], source: str) -> list[str]:
    """The classes of a data.yaml by number.

    Raises:
        DataError: `names` is neither a list nor a table 0..C-1.
    """
    names = data.get("names")
    rows = {str(key): value for key, value in names.items()} if isinstance(names, dict) else {}
    if isinstance(names, list):
        rows = {str(number): value for number, value in enumerate(names)}
    listed = [as_text(str(rows[key])) for key in (str(number) for number in range(len(rows))) if key in rows]
    if not all(listed) or not listed or len(listed) != len(rows) or len(set(listed)) != len(listed):
        raise DataError(f"{source}: names is {names!r}; expected the classes as a list or as 0: a, 1: b. Correct it.")
    return listed


def _shape(data: Mapping[str, Any], source: str) -> tuple[int, int]:
    shape = data.get("kpt_shape")
    if (
        isinstance(shape, list)
        and len(shape) == 2
        and all(isinstance(n, int) and 0 < n <= _MOST_POINTS for n in shape)
        and shape[1] in (2, 3)
    ):
        return shape[0], shape[1]
    raise DataError(
        f"{source}: kpt_shape is {shape!r}; expected [number of points, 2 or 3] as YOLO pose data has it. "
        "Is this a data set for detection only?"
    )


def _categories(
    data: Mapping[str, Any], names: list[str], num: int, options: ReadOptions, source: str, report: Report
) -> tuple[list[Category], dict[int, tuple[int, ...]]]:
    """Classes in the order of `names`, with the slots of their points in a line."""
    by_name = {category.name: category for category in options.classes}
    told = _told_names(data, len(names), num)
    categories, slots = [], {}
    for number, name in enumerate(names):
        if by_name and name not in by_name:
            known = ", ".join(by_name)
            raise DataError(f"{source}: class '{name}' is none of those of --classes ({known}). Use the same names.")
        points = told[number] if told else tuple((slot, f"keypoint_{slot + 1}") for slot in range(num))
        if by_name:
            points = _points_of_given(by_name[name], points if told else None, num, source)
        elif not told:
            message = f"{source}: no kpt_names; the points of '{name}' are called keypoint_1 to keypoint_{num}."
            report.extend([finding("keypoint-order-assumed", message)])
        slots[number + 1] = tuple(slot for slot, _ in points)
        given = by_name.get(name) or Category(0, name)
        categories.append(dataclasses.replace(given, id=number + 1, keypoints=tuple(n for _, n in points)))
    return categories, slots


_Named = tuple[tuple[int, str], ...]


def _told_names(data: Mapping[str, Any], classes: int, num: int) -> list[_Named]:
    """Slot and name of the real points of each class, as ``kpt_names`` tells them; empty if it does not."""
    raw = data.get("kpt_names")
    rows = [raw.get(number, raw.get(str(number))) for number in range(classes)] if isinstance(raw, dict) else []
    if isinstance(raw, list):
        rows = [raw] * classes
    if not rows or any(not isinstance(row, list) or len(row) != num for row in rows):
        return []
    texts = [[as_text(str(name)) for name in row or []] for row in rows]
    if any("" in row or len(set(row)) < len(row) for row in texts):
        return []
    return [tuple((slot, name) for slot, name in enumerate(row) if not name.startswith(PADDING)) for row in texts]


def _points_of_given(category: Category, told: _Named | None, num: int, source: str) -> _Named:
    """The points of a class of --classes: by name where the YAML has names, else by place."""
    if told is not None:
        slot_of = {name: slot for slot, name in told}
        if set(slot_of) == set(category.keypoints):
            return tuple((slot_of[name], name) for name in category.keypoints)
    elif len(category.keypoints) <= num:
        return tuple(enumerate(category.keypoints))
    found = ", ".join(name for _, name in told) if told is not None else f"{num} points without names"
    raise DataError(
        f"{source}: class '{category.name}' has {found}; --classes says {', '.join(category.keypoints)}. "
        "Use the COCO JSON that belongs to it."
    )


def _parse_line(
    line: str, categories: Sequence[Category], layout: _Layout, image: ImageRecord, instance_id: int
) -> Instance | str:
    """The object of one line, or what is wrong with it."""
    expected = 5 + layout.num * layout.dims
    cells = line.split()
    if len(cells) != expected:
        return f"{len(cells)} values; expected {expected} (class, box and {layout.num} points of {layout.dims} values)"
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return f"'{line.strip()[:40]}' is not all numbers"
    if not values[0].is_integer() or not 0 <= values[0] < len(categories):
        return f"class {cells[0]}; expected 0 to {len(categories) - 1}"
    if not all(abs(value) <= 1e6 for value in values):
        return "a value that is no finite number"
    category = categories[int(values[0])]
    cx, cy, w, h = values[1] * image.width, values[2] * image.height, values[3] * image.width, values[4] * image.height
    if w <= 0 or h <= 0:
        return f"a box of {values[3]:g} x {values[4]:g}; expected a positive size"
    points = tuple(_point(values[5:], slot, layout.dims, image) for slot in layout.slots[category.id])
    return Instance(
        id=instance_id,
        image_id=image.id,
        category_id=category.id,
        box_xywh_px=(cx - w / 2, cy - h / 2, w, h),
        area_px=w * h,
        keypoints_xyv=points if any(v > 0 for _, _, v in points) else (),
    )


def _point(values: Sequence[float], slot: int, dims: int, image: ImageRecord) -> KeypointXyv:
    """One point; with two values each, negative ones and 0, 0 mean not labelled."""
    x, y = values[slot * dims], values[slot * dims + 1]
    if dims == 2:
        v = 0 if min(x, y) < 0 or x == y == 0 else 2
    else:
        given = values[slot * dims + 2]
        v = 0 if given <= 0 else 1 if given < 1.5 else 2
    return (x * image.width, y * image.height, v) if v else UNLABELLED


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """data.yaml, ``labels/<split>/*.txt`` and the places of the images, ``images/<split>/``.

    Every image gets a label file, also without objects: it then says that nothing is there.
    """
    findings = losses(dataset, "YOLO pose", skeleton=True, segmentation=True, crowd=True)
    layout, flips = _layout(dataset, options, findings)
    numbers = {category.id: number for number, category in enumerate(dataset.categories)}
    files: dict[str, str | bytes] = {YAML_NAME: _yaml(dataset, layout, flips, bool(options.val_ids))}
    places: dict[int, str] = {}
    if not options.val_ids:
        findings.append(finding("val-is-train", f"{YAML_NAME}: val names the train images; use --val 0.2."))
    for image in dataset.images:
        if not (image.width and image.height):
            findings.append(_no_size(image))
            continue
        split = "val" if image.id in options.val_ids else "train"
        places[image.id] = f"images/{split}/{image.file_name}"
        label = f"labels/{split}/{PurePosixPath(image.file_name).with_suffix('.txt')}"
        if label in files:
            raise DataError(
                f"{image.file_name}: another image would have the label file {label}, too. Rename one of them."
            )
        lines = []
        for instance in dataset.instances_of_image[image.id]:
            category = dataset.category_by_id[instance.category_id]
            line, found = _line(instance, category, image, numbers[category.id], layout, options)
            findings += found
            lines += [line] if line else []
        files[label] = "".join(f"{line}\n" for line in lines)
    return Written(files, places, tuple(findings))


def _no_size(image: ImageRecord) -> Finding:
    message = f"{image.file_name}: its width and height are not known; left out. Give its folder with --images."
    return finding("image-size-unknown", message, image=image.file_name)


def _line(
    instance: Instance, category: Category, image: ImageRecord, number: int, layout: _Layout, options: WriteOptions
) -> tuple[str, list[Finding]]:
    fitted, found = fit_instance(instance, category, image.width, image.height, options.boxes, image.file_name)
    findings = [row for row in found if row.code not in _SILENT]
    if fitted is None or fitted.box_xywh_px is None:
        return "", findings
    x, y, w, h = fitted.box_xywh_px
    row = [UNLABELLED] * layout.num
    for slot, point in zip(layout.slots[category.id], points_of(fitted, category), strict=True):
        row[slot] = point
    box = (_share(x + w / 2, image.width), _share(y + h / 2, image.height), _share(w, image.width))
    points = [f"{_share(px, image.width)} {_share(py, image.height)} {v}" for px, py, v in row]
    return " ".join([str(number), *box, _share(h, image.height), *points]), findings


def _share(value: float, whole: int) -> str:
    text = f"{value / whole:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"


def _layout(dataset: Dataset, options: WriteOptions, findings: list[Finding]) -> tuple[_Layout, list[int]]:
    """Slots of each class: shared by all where their mirror images agree, else a stretch for each class.

    Raises:
        DataError: no class has keypoints.
    """
    counts = {category.id: len(category.keypoints) for category in dataset.categories}
    num = max(counts.values(), default=0)
    if not num:
        raise DataError(f"{dataset.source}: no class has keypoints; YOLO pose needs some. Is this the right file?")
    flips = {key: options.flips.get(key) or tuple(range(count)) for key, count in counts.items()}
    shared = _common_flip([flip for flip in flips.values() if flip], num)
    different = len({category.keypoints for category in dataset.categories}) > 1
    if shared is not None:
        slots = {key: tuple(range(count)) for key, count in counts.items()}
        how = "they share the slots"
    else:
        slots, shared, start = {}, [], 0
        for key, count in counts.items():
            slots[key] = tuple(range(start, start + count))
            shared += [start + partner for partner in flips[key]]
            start += count
        num, how = start, "each has its own slots, since their mirror images differ"
    if different:
        each = ", ".join(f"'{category.name}' {len(category.keypoints)}" for category in dataset.categories)
        message = f"YOLO pose: classes have different keypoints ({each}); every line has {num} points, {how}."
        findings.append(finding("keypoints-padded", message))
    return _Layout(num, 3, slots), shared


def _common_flip(flips: Sequence[tuple[int, ...]], num: int) -> list[int] | None:
    """One permutation that is right for all classes, or None."""
    common = list(range(num))
    owner: dict[int, int] = {}
    for flip in flips:
        for slot, partner in enumerate(flip):
            if owner.setdefault(slot, partner) != partner:
                return None
            common[slot] = partner
    return common


def _yaml(dataset: Dataset, layout: _Layout, flips: Sequence[int], has_val: bool) -> str:
    """data.yaml as Ultralytics documents it; without ``path``, its folders are looked for beside it."""
    import yaml

    names = {number: category.name for number, category in enumerate(dataset.categories)}
    points = {}
    for number, category in enumerate(dataset.categories):
        row = [f"{PADDING}{slot}" for slot in range(layout.num)]
        for slot, name in zip(layout.slots[category.id], category.keypoints, strict=True):
            row[slot] = name
        points[number] = row
    values = {
        "train": "images/train",
        "val": "images/val" if has_val else "images/train",
        "kpt_shape": [layout.num, 3],
        "flip_idx": list(flips),
        "names": names,
        "kpt_names": points,
    }
    return "".join(
        yaml.safe_dump({key: value}, allow_unicode=True, sort_keys=False, default_flow_style=_flow(key), width=10_000)
        for key, value in values.items()
    )


def _flow(key: str) -> bool | None:
    return None if key in ("names", "kpt_names", "kpt_shape", "flip_idx") else False
