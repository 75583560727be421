"""From loose shapes and points to objects, for tools that keep boxes and points apart.

A point belongs to the box with which it shares a key (a group, a parent). Nothing is guessed: a point without a key
belongs to an object only if its image has just one, and what cannot be told is left out and reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import DEFAULT_CLASS, UNLABELLED, ReadOptions, box_around
from kpt_tools.entities import BoxXywhPx, Category, Dataset, ImageRecord, Instance, KeypointXyv, Report


@dataclass(frozen=True)
class Shape:
    """A drawn box, or polygons with the box around them; shapes with one key (not "") and one class are one object."""

    key: str
    class_name: str
    box_xywh_px: BoxXywhPx | None
    segmentation: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Point:
    """A named point; `key` is that of its object, or "" if it tells none."""

    key: str
    name: str
    xyv: KeypointXyv


@dataclass(frozen=True)
class Picture:
    """An image with its shapes and points."""

    name: str
    width: int
    height: int
    shapes: tuple[Shape, ...] = ()
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class _Object:
    image: str
    class_name: str
    points: tuple[tuple[str, KeypointXyv], ...]
    box_xywh_px: BoxXywhPx | None = None
    segmentation: tuple[tuple[float, ...], ...] = ()


def assemble(
    pictures: Iterable[Picture],
    options: ReadOptions,
    source: str,
    report: Report,
    keypoints: Mapping[str, tuple[str, ...]] | None = None,
) -> Dataset:
    """Put shapes and points together to objects, and give each its class.

    Args:
        pictures: in file order; of two with one name the second is left out.
        options: classes to use, and the class of objects without one.
        source: the file's name, for messages.
        report: takes what had to be left out or assumed.
        keypoints: those of each class, where the format tells them all in order.
    """
    images: dict[str, ImageRecord] = {}
    objects: list[_Object] = []
    for picture in pictures:
        if picture.name in images:
            message = f"{source}: '{picture.name}' occurs more than once; expected each image once. Left out."
            report.extend([finding("image-name-duplicate", message, image=picture.name)])
            continue
        images[picture.name] = ImageRecord(len(images) + 1, picture.name, picture.width, picture.height)
        objects += _objects_of(picture, source, report)
    objects = _with_classes(objects, options, source, report)
    categories = options.classes or _categories_seen(objects, keypoints or {}, source, report)
    by_name = {category.name: category for category in categories}
    instances: list[Instance] = []
    for row in objects:
        category = by_name.get(row.class_name)
        if category is None:
            _tell_class(row, f"class '{row.class_name}' is none of {', '.join(by_name)}", source, report)
            continue
        instances.append(_instance(row, len(instances) + 1, images[row.image].id, category, source, report))
    return Dataset(tuple(images.values()), categories, tuple(instances), source)


def _objects_of(picture: Picture, source: str, report: Report) -> list[_Object]:
    """The objects of one image; points join the object of their key, or the only one there is."""
    shapes = _from_shapes(picture)
    points: list[list[Point]] = [[] for _ in shapes]
    loose: dict[str, list[Point]] = {}
    for point in picture.points:
        owners = [n for n, (key, _) in enumerate(shapes) if not point.key or key == point.key]
        if len(owners) == 1:
            points[owners[0]].append(point)
        elif owners:
            message = f"'{picture.name}': point '{point.name}' could belong to any of {len(owners)} objects. Left out."
            report.extend([finding("point-without-object", f"{source}: {message}", image=picture.name)])
        else:
            loose.setdefault(point.key, []).append(point)
    free = sum(not point.key for point in picture.points)
    if free and len(shapes) == 1:
        message = f"'{picture.name}': {free} points without a link were given to the only object."
        report.extend([finding("points-assigned", f"{source}: {message}", image=picture.name)])
    boxed = [replace(row, points=_named(own)) for (_, row), own in zip(shapes, points, strict=True)]
    return boxed + [_Object(picture.name, "", _named(group)) for group in loose.values()]


def _named(points: Iterable[Point]) -> tuple[tuple[str, KeypointXyv], ...]:
    return tuple((point.name, point.xyv) for point in points)


def _from_shapes(picture: Picture) -> list[tuple[str, _Object]]:
    """Objects with their keys; shapes of one key and class are one object, a shape without a key is one by itself."""
    groups: dict[tuple[str, str], list[Shape]] = {}
    for number, shape in enumerate(picture.shapes):
        groups.setdefault((shape.key or f"\0{number}", shape.class_name), []).append(shape)
    return [(key, _joined(picture.name, shapes)) for (key, _), shapes in groups.items()]


def _joined(image: str, shapes: Sequence[Shape]) -> _Object:
    """One object of several shapes; a drawn box goes before the extent of the polygons."""
    boxes = [shape.box_xywh_px for shape in shapes if not shape.segmentation and shape.box_xywh_px]
    drawn = boxes or [shape.box_xywh_px for shape in shapes if shape.box_xywh_px]
    xs = [value for x, _, w, _ in drawn for value in (x, x + w)]
    ys = [value for _, y, _, h in drawn for value in (y, y + h)]
    polygons = tuple(polygon for shape in shapes for polygon in shape.segmentation)
    box = drawn[0] if len(drawn) == 1 else box_around(xs, ys)
    return _Object(image, shapes[0].class_name, (), box, polygons)


def _with_classes(objects: list[_Object], options: ReadOptions, source: str, report: Report) -> list[_Object]:
    """Give objects without a class the one they can only be of."""
    known = [category.name for category in options.classes]
    known = known or list(dict.fromkeys(row.class_name for row in objects if row.class_name))
    assumed: Counter[str] = Counter()
    result = []
    for row in objects:
        name = row.class_name or _only_class(row, known, options)
        if not name:
            names = ", ".join(f"'{point}'" for point, _ in row.points)
            _tell_class(row, f"points {names} without a box, and there are classes {', '.join(known)}", source, report)
            continue
        assumed[name] += not row.class_name
        result.append(replace(row, class_name=name))
    for name, count in (+assumed).items():
        if name != options.category:
            message = f"{source}: {count} objects without a class were taken as '{name}'."
            report.extend([finding("class-assumed", message)])
    return result


def _only_class(row: _Object, known: Sequence[str], options: ReadOptions) -> str:
    if options.category:
        return options.category
    names = {name for name, _ in row.points}
    fitting = [category.name for category in options.classes if names <= set(category.keypoints)]
    if options.classes:
        return fitting[0] if len(fitting) == 1 else ""
    return (known or [DEFAULT_CLASS])[0] if len(known) < 2 else ""


def _tell_class(row: _Object, why: str, source: str, report: Report) -> None:
    message = f"{source}: '{row.image}': {why}; the object is left out. Use --classes or --category."
    report.extend([finding("class-unknown", message, image=row.image)])


def _categories_seen(
    objects: Iterable[_Object], told: Mapping[str, tuple[str, ...]], source: str, report: Report
) -> tuple[Category, ...]:
    """Classes and their keypoints as `told`, or in the order in which they first occur."""
    names: dict[str, dict[str, None]] = {name: dict.fromkeys(points) for name, points in told.items()}
    for row in objects:
        names.setdefault(row.class_name, {}).update(dict.fromkeys(name for name, _ in row.points))
    for class_name, points in names.items():
        if points and class_name not in told:
            message = f"{source}: keypoints of '{class_name}' are taken as they first occur: {', '.join(points)}."
            report.extend([finding("keypoint-order-assumed", message)])
    return tuple(Category(n, name, tuple(points)) for n, (name, points) in enumerate(names.items(), start=1))


def _instance(
    row: _Object, instance_id: int, image_id: int, category: Category, source: str, report: Report
) -> Instance:
    points: dict[str, KeypointXyv] = {}
    for name, xyv in row.points:
        where = f"{source}: '{row.image}': '{category.name}'"
        if name not in category.keypoints:
            message = f"{where}: point '{name}' is none of {', '.join(category.keypoints)}. Left out."
            report.extend([finding("point-name-unknown", message, image=row.image, annotation_id=instance_id)])
        elif name in points:
            message = f"{where}: two points '{name}'; the second is left out."
            report.extend([finding("point-duplicate", message, image=row.image, annotation_id=instance_id)])
        else:
            points[name] = xyv
    box = row.box_xywh_px
    return Instance(
        id=instance_id,
        image_id=image_id,
        category_id=category.id,
        box_xywh_px=box,
        area_px=box[2] * box[3] if box else 0.0,
        keypoints_xyv=tuple(points.get(name, UNLABELLED) for name in category.keypoints) if points else (),
        segmentation=row.segmentation,
    )
