"""Flat-coloured outlines turned into shaded, anti-aliased pictures of small things, and laid on a canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpt_tools.demo.geometry import Points

Colour = tuple[float, float, float]
"""Blue, green, red, 0..255."""

Canvas = NDArray[np.float32]
"""Shape (H, W, 3), BGR, 0..255."""

SUPERSAMPLING = 2
_SUBPIXEL_BITS = 4
_MARGIN_PX = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One outline in pixels of the picture, filled with one colour."""

    outline: Points
    bgr: Colour


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp for the whole picture.

    Attributes:
        angle_rad: direction in the picture that the light comes from.
        bevel: strength of the shading at edges.
        shadow: darkness of cast shadows, 0..1.
        shadow_px: distance that a thing's shadow is cast.
    """

    angle_rad: float
    bevel: float
    shadow: float
    shadow_px: float

    @property
    def towards_xy(self) -> tuple[float, float]:
        """Unit vector towards the lamp."""
        return math.cos(self.angle_rad), math.sin(self.angle_rad)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn thing.

    Attributes:
        bgr: shape (h, w, 3), float32, 0..255.
        alpha: shape (h, w), float32, 0..1.
        left, top: place of its first pixel in the picture; may be negative.
        box_xyxy_px: extent of its outlines in the picture, not clipped.
    """

    bgr: NDArray[np.float32]
    alpha: NDArray[np.float32]
    left: int
    top: int
    box_xyxy_px: tuple[float, float, float, float]


def extent(layers: Sequence[Sequence[Part]]) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 in pixels around all outlines."""
    points = np.concatenate([part.outline for layer in layers for part in layer])
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    return float(x1), float(y1), float(x2), float(y2)


def draw_sprite(layers: Sequence[Sequence[Part]], light: Light) -> Sprite:
    """Draw layers from bottom to top; each is shaded as one body and shades the ones below.

    Args:
        layers: the parts of each layer in drawing order.
        light: where the light comes from.
    """
    import cv2

    box = extent(layers)
    left, top = math.floor(box[0]) - _MARGIN_PX, math.floor(box[1]) - _MARGIN_PX
    width, height = math.ceil(box[2]) + _MARGIN_PX - left, math.ceil(box[3]) + _MARGIN_PX - top
    shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
    bgr = np.zeros((*shape, 3), np.uint8)
    bgr[:] = np.clip(layers[0][0].bgr, 0, 255)
    alpha = np.zeros(shape, np.uint8)
    for index, layer in enumerate(layers):
        np.maximum(alpha, _paint(bgr, layer, light, (left, top), shade_below=index > 0), out=alpha)
    small = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    small_alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    return Sprite(small, small_alpha, left, top, box)


def _paint(
    bgr: NDArray[np.uint8], layer: Sequence[Part], light: Light, origin: tuple[int, int], *, shade_below: bool
) -> NDArray[np.uint8]:
    """Draw one layer into `bgr` and return its mask."""
    import cv2

    body = bgr.copy()
    mask = np.zeros(bgr.shape[:2], np.uint8)
    for part in layer:
        outline = _fixed_point(part.outline, origin)
        cv2.fillPoly(body, [outline], part.bgr, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    shaded = cv2.add(body, cv2.merge([_bevel(mask, light)] * 3), dtype=cv2.CV_8U)
    if shade_below:
        near = cv2.blur(cv2.blur(mask, (9, 9)), (9, 9))
        dark = 255 - (near * 0.55).astype(np.uint8)
        cv2.multiply(bgr, cv2.merge([dark] * 3), bgr, 1.0 / 255.0)
    cv2.copyTo(shaded, mask, bgr)
    return mask


def _fixed_point(outline: Points, origin: tuple[int, int]) -> NDArray[np.int32]:
    """Picture pixels (origin at the corner) to OpenCV's fixed-point pixel centres of the supersampled sprite."""
    scaled = (outline - np.asarray(origin)) * SUPERSAMPLING - 0.5
    fixed: NDArray[np.int32] = np.round(scaled * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    return fixed


def _bevel(mask: NDArray[np.uint8], light: Light) -> NDArray[np.int16]:
    """Brightness to add: edges that face the lamp are lighter, the others darker."""
    import cv2

    height = cv2.blur(cv2.blur(mask, (7, 7)), (5, 5))
    x, y = light.towards_xy
    slope_x = cv2.Sobel(height, cv2.CV_16S, 1, 0, ksize=3)
    slope_y = cv2.Sobel(height, cv2.CV_16S, 0, 1, ksize=3)
    return np.asarray(cv2.addWeighted(slope_x, -x * light.bevel, slope_y, -y * light.bevel, 0.0), np.int16)


def _window(sprite: Sprite, height: int, width: int) -> tuple[slice, slice, slice, slice] | None:
    """Rows and columns of the canvas, and of the sprite, where they overlap."""
    rows, columns = sprite.alpha.shape
    y1, y2 = max(0, sprite.top), min(height, sprite.top + rows)
    x1, x2 = max(0, sprite.left), min(width, sprite.left + columns)
    if y1 >= y2 or x1 >= x2:
        return None
    inner_y, inner_x = slice(y1 - sprite.top, y2 - sprite.top), slice(x1 - sprite.left, x2 - sprite.left)
    return slice(y1, y2), slice(x1, x2), inner_y, inner_x


def lay(canvas: Canvas, sprite: Sprite, light: Light) -> None:
    """Cast the sprite's shadow on the canvas, then lay the sprite on it, in place."""
    window = _window(sprite, *canvas.shape[:2])
    if window is None:
        return
    rows, columns, inner_y, inner_x = window
    _cast_shadow(canvas, sprite, light)
    region = canvas[rows, columns]
    region += _three(sprite.alpha[inner_y, inner_x]) * (sprite.bgr[inner_y, inner_x] - region)


def _cast_shadow(canvas: Canvas, sprite: Sprite, light: Light) -> None:
    import cv2

    x, y = light.towards_xy
    pad = math.ceil(2 * light.shadow_px) + 2
    reach = (2 * max(1, round(0.8 * light.shadow_px)) + 1,) * 2
    padded = cv2.copyMakeBorder(sprite.alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    shadow = np.asarray(cv2.blur(cv2.blur(padded, reach), reach), np.float32)
    left = sprite.left - pad - round(x * light.shadow_px)
    top = sprite.top - pad - round(y * light.shadow_px)
    cast = Sprite(sprite.bgr, shadow, left, top, sprite.box_xyxy_px)
    window = _window(cast, *canvas.shape[:2])
    if window is not None:
        rows, columns, inner_y, inner_x = window
        canvas[rows, columns] *= _three(1.0 - light.shadow * shadow[inner_y, inner_x])


def _three(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same field for blue, green and red; numpy broadcasts a last axis of 3 slowly."""
    import cv2

    return np.asarray(cv2.merge([field] * 3), np.float32)


def alpha_at(sprite: Sprite, x: float, y: float) -> float:
    """Opacity of the sprite at a point of the picture; 0 outside it."""
    row, column = math.floor(y) - sprite.top, math.floor(x) - sprite.left
    rows, columns = sprite.alpha.shape
    if not (0 <= row < rows and 0 <= column < columns):
        return 0.0
    return float(sprite.alpha[row, column])


def covered_share(below: Sprite, above: Sprite) -> float:
    """Share of the sprite `below` that `above` hides, 0..1."""
    shifted = Sprite(above.bgr, above.alpha, above.left - below.left, above.top - below.top, above.box_xyxy_px)
    window = _window(shifted, *below.alpha.shape)
    if window is None:
        return 0.0
    rows, columns, inner_y, inner_x = window
    hidden = float((below.alpha[rows, columns] * above.alpha[inner_y, inner_x]).sum())
    return hidden / max(float(below.alpha.sum()), 1e-6)
