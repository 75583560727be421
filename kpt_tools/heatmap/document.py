"""The steps of the document, one function each: resize, draw heatmaps, crop, resize, scale.

Its crop is the box of the *true* points with 20 pixels around it, so in every crop the outermost points lie 20 pixels
from the border: the network is told much of the answer by the crop itself. For measuring as the document did, that is
what these steps do; at inference the box comes from points that another model has found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.heatmap.geometry import Affine, Image, Points, apply, compose, extent_of, scale_and_shift
from kpt_tools.heatmap.targets import FULL, FloatArray, circle_heatmaps, gaussian_heatmaps

FRAME_PX = 128
MARGIN_PX = 20
CROP_PX = 64
GAUSSIAN_SIGMA_PX = 2.0
"""At 128 px. About as wide as the blurred circle, whose variance is 1.9^2."""

CropBox = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels; right and bottom are the first ones outside."""


@dataclass(frozen=True)
class Crop:
    """A crop as the document makes it.

    Attributes:
        image: [64, 64, 3] uint8.
        matrix: from pixels of the picture to pixels of the crop.
        heatmaps: [64, 64, K] float32 from 0 to 1, or None.
    """

    image: Image
    matrix: Affine
    heatmaps: FloatArray | None


def resize_with_borders(image: Image, side: int = FRAME_PX) -> tuple[Image, Affine]:
    """Scale a picture until it fits into a square, keeping its aspect, and lay it in the middle of black.

    Returns:
        [side, side, 3], and the map from pixels of the picture to pixels of the square.
    """
    import cv2

    height, width = image.shape[:2]
    scale = side / max(height, width)
    new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (side - new_w) // 2, (side - new_h) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + new_h, left : left + new_w] = cv2.resize(image, (new_w, new_h), interpolation=kind)
    return square, scale_and_shift(new_w / width, new_h / height, left, top)


def draw_heatmaps(points: Points, side: int, kind: str) -> FloatArray:
    """Heatmaps of points in a square of `side` pixels, with a peak of 255 as in an 8-bit picture.

    Args:
        points: [K, 2] in its pixels.
        side: of the square.
        kind: "gaussian" or "circle".

    Raises:
        ValueError: another kind.
    """
    if kind == "gaussian":
        maps = gaussian_heatmaps(points, (side, side), GAUSSIAN_SIGMA_PX)
    elif kind == "circle":
        maps = circle_heatmaps(points, (side, side))
    else:
        raise ValueError(f"heatmap kind '{kind}'; expected gaussian or circle")
    return np.asarray(maps * FULL, np.float32)


def crop_box(points: Points, side: int = FRAME_PX, margin: int = MARGIN_PX) -> CropBox:
    """The box of the points plus a margin, in whole pixels, clipped to the square on all sides.

    Without a known point, or where the box lies outside, it is the whole square.
    """
    box = extent_of(points)
    if box is None:
        return 0, 0, side, side
    x, y, width, height = box
    left, top = int(np.floor(x)) - margin, int(np.floor(y)) - margin
    right, bottom = int(np.ceil(x + width)) + margin, int(np.ceil(y + height)) + margin
    clipped = max(left, 0), max(top, 0), min(right, side), min(bottom, side)
    return clipped if clipped[0] < clipped[2] and clipped[1] < clipped[3] else (0, 0, side, side)


def cut(array: npt.NDArray[Any], box: CropBox) -> npt.NDArray[Any]:
    """The part of an image or of heatmaps inside a box."""
    left, top, right, bottom = box
    return array[top:bottom, left:right]


def resize_square(array: npt.NDArray[Any], side: int = CROP_PX) -> npt.NDArray[Any]:
    """Stretch to side x side, without regard to the aspect; a last axis of channels stays."""
    import cv2

    return cv2.resize(np.ascontiguousarray(array), (side, side), interpolation=cv2.INTER_LINEAR).reshape(
        side, side, array.shape[2]
    )


def scaled(array: npt.NDArray[Any]) -> FloatArray:
    """Values from 0..255 to 0..1."""
    return np.asarray(array / FULL, np.float32)


def crop_like_document(image: Image, box_points: Points, points: Points | None = None, kind: str = "circle") -> Crop:
    """All steps at once.

    Args:
        image: the picture.
        box_points: [K, 2] in pixels of the picture, around which the crop is made.
        points: the true points, to draw heatmaps of; None: no heatmaps.
        kind: of the heatmaps.
    """
    square, onto_frame = resize_with_borders(image)
    box = crop_box(apply(onto_frame, box_points))
    left, top, right, bottom = box
    stretch_x, stretch_y = CROP_PX / (right - left), CROP_PX / (bottom - top)
    matrix = compose(scale_and_shift(stretch_x, stretch_y, -left * stretch_x, -top * stretch_y), onto_frame)
    heatmaps = None
    if points is not None:
        heatmaps = scaled(resize_square(cut(draw_heatmaps(apply(onto_frame, points), FRAME_PX, kind), box)))
    return Crop(resize_square(cut(square, box)), matrix, heatmaps)
