"""The part of a picture that holds one object, cut out and made small enough to be stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpt_tools.entities import BoxXywhPx, KeypointXyv
from kpt_tools.heatmap.geometry import Affine, Image, Points, scale_and_shift

CONTEXT = 0.5
"""Share of the larger side of an object's box that is kept around it, for shifts and zooms."""


@dataclass(frozen=True)
class Cut:
    """What is cut out of a picture, and how it is scaled.

    Attributes:
        left: first column.
        top: first row.
        width: columns.
        height: rows.
        scale: from pixels of the picture to those of the patch, at most 1.
    """

    left: int
    top: int
    width: int
    height: int
    scale: float

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the patch."""
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    @property
    def to_picture(self) -> Affine:
        """From pixels of the patch to those of the picture."""
        width, height = self.size_wh
        return scale_and_shift(self.width / width, self.height / height, float(self.left), float(self.top))


def cut_of(size_wh: tuple[int, int], box: BoxXywhPx | None, patch_px: int) -> Cut:
    """What to cut: the whole picture, or the box with its context, clipped to the picture.

    Args:
        size_wh: of the picture.
        box: of the object; None: the whole picture.
        patch_px: the larger side of the patch is at most this.
    """
    width, height = size_wh
    left, top, right, bottom = 0, 0, width, height
    if box is not None:
        x, y, w, h = box
        around = CONTEXT * max(w, h)
        left, top = max(0, int(np.floor(x - around))), max(0, int(np.floor(y - around)))
        right, bottom = min(width, int(np.ceil(x + w + around))), min(height, int(np.ceil(y + h + around)))
    scale = min(1.0, patch_px / max(right - left, bottom - top))
    return Cut(left, top, right - left, bottom - top, scale)


def is_whole(cut: Cut, size_wh: tuple[int, int]) -> bool:
    """Whether nothing is cut off or scaled."""
    return (cut.left, cut.top, cut.width, cut.height, cut.scale) == (0, 0, *size_wh, 1.0)


def patch_image(image: Image, cut: Cut) -> Image:
    """The part of the picture, scaled by areas."""
    import cv2

    part = image[cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
    if part.shape[1::-1] == cut.size_wh:
        return np.ascontiguousarray(part)
    return np.asarray(cv2.resize(part, cut.size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def known_points(keypoints_xyv: tuple[KeypointXyv, ...], count: int) -> Points:
    """[K, 2]: the labelled points (v > 0), NaN for the others."""
    rows = keypoints_xyv or ((0.0, 0.0, 0),) * count
    return np.array([(x, y) if v > 0 else (np.nan, np.nan) for x, y, v in rows], np.float64).reshape(count, 2)
