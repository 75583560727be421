"""Where a picture lies in the network's input, and the way back.

One pixel convention everywhere: coordinates are continuous and run from 0 at the outer corner of the first pixel to
the width (height) at the outer corner of the last. The middle of pixel or heatmap cell i is i + 0.5. OpenCV counts from
the middle of the first pixel instead; `warp` is the only place that knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import BoxXywhPx

Affine = npt.NDArray[np.float64]
"""[2, 3]: x', y' = A[:, :2] @ (x, y) + A[:, 2]."""

Points = npt.NDArray[np.float64]
"""[K, 2]: x, y in pixels; NaN where a point is not known."""

Image = npt.NDArray[np.uint8]
"""[H, W, 3] uint8, red first."""

_SHRINK_BELOW = 0.6
_LEAST_SIDE_PX = 2.0


def scale_and_shift(scale_x: float, scale_y: float, shift_x: float, shift_y: float) -> Affine:
    """The map x' = scale_x x + shift_x, y' = scale_y y + shift_y."""
    return np.array([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]])


def compose(after: Affine, before: Affine) -> Affine:
    """First `before`, then `after`."""
    return np.hstack([after[:, :2] @ before[:, :2], after[:, :2] @ before[:, 2:] + after[:, 2:]])


def invert(matrix: Affine) -> Affine:
    """The way back.

    Raises:
        numpy.linalg.LinAlgError: there is none.
    """
    inverse = np.linalg.inv(matrix[:, :2])
    return np.hstack([inverse, -inverse @ matrix[:, 2:]])


def apply(matrix: Affine, points: Points) -> Points:
    """Move points [..., 2]; NaN stays NaN."""
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def extent_of(points: Points) -> BoxXywhPx | None:
    """The smallest box around the known points; None if there are none."""
    known = points[~np.isnan(points).any(axis=-1)]
    if not len(known):
        return None
    left, top = known.min(axis=0)
    right, bottom = known.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def region_of_box(box_xywh_px: BoxXywhPx, margin: float) -> BoxXywhPx:
    """The square around a box whose side is the box's larger one, widened on each side by `margin` of it."""
    x, y, width, height = box_xywh_px
    side = max(width, height, _LEAST_SIDE_PX) * (1 + 2 * margin)
    return x + width / 2 - side / 2, y + height / 2 - side / 2, side, side


def square_around(size_wh: tuple[int, int]) -> BoxXywhPx:
    """The square that holds a whole picture in its middle."""
    return region_of_box((0.0, 0.0, float(size_wh[0]), float(size_wh[1])), 0.0)


def onto_square(region_xywh_px: BoxXywhPx, size: int) -> Affine:
    """From pixels of the picture to those of a `size` x `size` input that shows a square region."""
    x, y, side, _ = region_xywh_px
    scale = size / side
    return scale_and_shift(scale, scale, -x * scale, -y * scale)


def warp(image: npt.NDArray[Any], matrix: Affine, size_wh: tuple[int, int]) -> npt.NDArray[Any]:
    """Draw `image` through `matrix` onto black of another size, bilinearly; shrunk by areas first where it is halved.

    Args:
        image: [H, W] or [H, W, C], uint8 or float32.
        matrix: from pixels of the image to pixels of the result.
        size_wh: width and height of the result.
    """
    import cv2

    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < _SHRINK_BELOW:
        height, width = image.shape[:2]
        smaller = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        matrix = compose(matrix, scale_and_shift(width / smaller[0], height / smaller[1], 0.0, 0.0))
    half = scale_and_shift(1.0, 1.0, 0.5, 0.5)
    indices = compose(invert(half), compose(matrix, half))
    result = cv2.warpAffine(image, indices, size_wh, flags=cv2.INTER_LINEAR)
    return result if result.ndim == image.ndim else result[..., np.newaxis]
