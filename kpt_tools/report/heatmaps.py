"""Heatmaps over pictures, and points with the truth beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kpt_tools.report.draw import point_colour

if TYPE_CHECKING:
    from PIL import Image

_TILE_PX = 256
_DIM = 0.35
_WHITE = (255, 255, 255)


def enlarged(image: npt.NDArray[np.uint8], side_px: int = _TILE_PX) -> Image.Image:
    """A picture whose larger side is `side_px`; small ones show their pixels as squares."""
    from PIL import Image

    picture = Image.fromarray(image)
    scale = side_px / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)


def overlaid(image: npt.NDArray[np.uint8], heatmaps: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A darkened picture with heatmaps in the colours of their keypoints; each map's highest value is bright.

    Args:
        image: [H, W, 3] uint8.
        heatmaps: [h, w, K], of the same region.

    Returns:
        [H, W, 3] uint8.
    """
    import cv2

    height, width = image.shape[:2]
    values = image.astype(np.float32) * _DIM
    for index in range(heatmaps.shape[2]):
        small = np.maximum(np.asarray(heatmaps[..., index], np.float32), 0.0)
        one: npt.NDArray[Any] = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
        share = one / max(float(one.max()), 1e-9)
        values = values + share[..., np.newaxis] * np.array(point_colour(index), np.float32)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def marked(
    image: npt.NDArray[np.uint8],
    found: npt.NDArray[np.float64] | None,
    truth: npt.NDArray[np.float64] | None = None,
    side_px: int = _TILE_PX,
) -> Image.Image:
    """An enlarged picture with found points as crosses and true ones as rings, in the keypoints' colours.

    Args:
        image: [H, W, 3] uint8.
        found: [K, 2] in its pixels, NaN where there is none; or None.
        truth: the same for the truth.
        side_px: larger side of the result.
    """
    from PIL import ImageDraw

    picture = enlarged(image, side_px)
    scale = side_px / max(image.shape[:2])
    draw = ImageDraw.Draw(picture)
    radius = side_px / 32
    for points, ring in ((truth, True), (found, False)):
        for index, (x, y) in enumerate(() if points is None else points * scale):
            if np.isnan(x) or np.isnan(y):
                continue
            colour = point_colour(index)
            if ring:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_WHITE, width=4)
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
            else:
                for thick, ink in ((5, _WHITE), (3, colour)):
                    draw.line((x - radius, y - radius, x + radius, y + radius), fill=ink, width=thick)
                    draw.line((x - radius, y + radius, x + radius, y - radius), fill=ink, width=thick)
    return picture
