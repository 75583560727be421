"""Data sets for the tests of merge, convert and pre-annotations, and how to compare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kpt_tools.annotations.formats.base import corners
from kpt_tools.entities import BoxXywhPx, Category, Dataset, ImageRecord, Instance, KeypointXyv

MOUSE = Category(3, "mouse", ("snout", "left_ear", "right_ear", "tail"), ((0, 1), (0, 2), (1, 3)), "animal")
BOLT = Category(9, "bolt", ("head", "tip"))
NUT = Category(12, "nut")
MOUSE_POINTS: tuple[KeypointXyv, ...] = ((12.5, 10.25, 2), (20.0, 14.0, 1), (0.0, 0.0, 0), (36.75, 28.5, 2))


def image(image_id: int = 1, name: str | None = None, width: int = 64, height: int = 48) -> ImageRecord:
    return ImageRecord(image_id, name or f"img{image_id}.jpg", width, height)


def mouse(instance_id: int = 11, image_id: int = 1, **changes: Any) -> Instance:
    """A mouse with a hidden left ear and no right one."""
    box: BoxXywhPx = (10.0, 8.0, 30.0, 24.0)
    fields: dict[str, Any] = {"box_xywh_px": box, "area_px": 720.0, "keypoints_xyv": MOUSE_POINTS}
    return Instance(instance_id, image_id, MOUSE.id, **{**fields, **changes})


def bolt(instance_id: int = 12, image_id: int = 1, **changes: Any) -> Instance:
    fields: dict[str, Any] = {
        "box_xywh_px": (40.0, 30.0, 16.0, 10.0),
        "area_px": 160.0,
        "keypoints_xyv": ((41.0, 31.0, 2), (55.0, 39.0, 2)),
    }
    return Instance(instance_id, image_id, BOLT.id, **{**fields, **changes})


def mice(*, count: int = 2) -> Dataset:
    """One class, one mouse in each of `count` images, and an image without any."""
    images = tuple(image(number) for number in range(1, count + 2))
    return Dataset(images, (MOUSE,), tuple(mouse(10 + n, n) for n in range(1, count + 1)), "mice.json")


def workshop() -> Dataset:
    """Three classes with 4, 2 and no keypoints; two mice and a bolt in one image, a nut in another, one empty."""
    second = mouse(13, 1, box_xywh_px=(1.0, 2.0, 9.0, 8.0), area_px=72.0, keypoints_xyv=((2.0, 3.0, 2),) * 4)
    nut = Instance(14, 2, NUT.id, (5.0, 6.0, 7.0, 8.0), 56.0)
    images = (image(1), image(2, "sub/b.png", 100, 80), image(3, "c.png", 10, 10))
    return Dataset(images, (MOUSE, BOLT, NUT), (mouse(), bolt(), second, nut), "workshop.json")


Row = tuple[str, str, tuple[float, ...] | None, tuple[tuple[str, KeypointXyv], ...]]


def _number(value: float) -> float:
    return round(value, 2) + 0.0


def content(
    dataset: Dataset,
    *,
    visibility: bool = True,
    boxes: bool = True,
    classes: bool = True,
    name_of: Callable[[str], str] = str,
) -> list[Row]:
    """What a data set says, without ids: image, class, box, and named points with v > 0; two decimals."""
    names = {row.id: name_of(row.file_name) for row in dataset.images}
    rows: list[Row] = []
    for row in dataset.instances:
        category = dataset.category_by_id[row.category_id]
        points = tuple(
            (name, (_number(x), _number(y), v if visibility else 2))
            for name, (x, y, v) in zip(category.keypoints, row.keypoints_xyv or (), strict=False)
            if v > 0
        )
        box = tuple(_number(value) for value in row.box_xywh_px) if row.box_xywh_px and boxes else None
        rows.append((names[row.image_id], category.name if classes else "", box, tuple(sorted(points))))
    return sorted(rows, key=repr)


def drawn(dataset: Dataset) -> Dataset:
    """As coco-annotator exports it: each box is a polygon of four corners, too."""
    from dataclasses import replace

    rows = tuple(
        replace(row, segmentation=(corners(row.box_xywh_px),)) if row.box_xywh_px else row for row in dataset.instances
    )
    return Dataset(dataset.images, dataset.categories, rows, dataset.source)
