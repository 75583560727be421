"""EXIF orientation: from the coordinates of the stored pixels to those of the upright picture.

Orientation values as in Exif 2.3, tag 0x0112: 1 upright, 2 mirrored, 3 half turn, 4 flipped, 5 transposed,
6 to be turned clockwise, 7 transversed, 8 to be turned counter-clockwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kpt_tools.entities import BoxXywhPx, Instance

SWAPPING = frozenset({5, 6, 7, 8})

# (x, y, raw width, raw height) -> (x, y) upright. Coordinates count from the outer corner of the first pixel.
_MOVES: dict[int, Callable[[float, float, float, float], tuple[float, float]]] = {
    1: lambda x, y, w, h: (x, y),
    2: lambda x, y, w, h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (y, w - x),
}


def upright_size(orientation: int, width: int, height: int) -> tuple[int, int]:
    """Width and height of the upright picture."""
    return (height, width) if orientation in SWAPPING else (width, height)


def upright_point(x: float, y: float, orientation: int, width: int, height: int) -> tuple[float, float]:
    """A point of the stored pixels (of `width` x `height`) in the upright picture."""
    return _MOVES[orientation](x, y, width, height)


def upright_instance(instance: Instance, orientation: int, width: int, height: int) -> Instance:
    """An object with box, points and polygons moved; points with v = 0 stay as they are."""
    if orientation == 1:
        return instance

    def move(x: float, y: float) -> tuple[float, float]:
        return upright_point(x, y, orientation, width, height)

    points = tuple((*move(x, y), v) if v > 0 else (x, y, v) for x, y, v in instance.keypoints_xyv)
    polygons = tuple(
        tuple(value for x, y in zip(flat[::2], flat[1::2], strict=True) for value in move(x, y))
        for flat in instance.segmentation
    )
    box = instance.box_xywh_px and _upright_box(instance.box_xywh_px, orientation, width, height)
    return replace(instance, box_xywh_px=box, keypoints_xyv=points, segmentation=polygons)


def _upright_box(box: BoxXywhPx, orientation: int, width: int, height: int) -> BoxXywhPx:
    x, y, w, h = box
    corners = [upright_point(px, py, orientation, width, height) for px, py in ((x, y), (x + w, y + h))]
    left, top = min(c[0] for c in corners), min(c[1] for c in corners)
    return left, top, max(c[0] for c in corners) - left, max(c[1] for c in corners) - top
