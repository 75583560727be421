"""What the network is shown of a picture: a square region, or the document's crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpt_tools.entities import BoxXywhPx
from kpt_tools.heatmap.document import crop_like_document
from kpt_tools.heatmap.geometry import (
    Affine,
    Image,
    Points,
    apply,
    compose,
    extent_of,
    invert,
    onto_square,
    region_of_box,
    square_around,
    warp,
)
from kpt_tools.heatmap.spec import HeatmapSpec

_LEAST_SHARE = 0.03
"""A crop around points is never smaller than this share of the picture's larger side: points may lie on one spot."""


@dataclass(frozen=True)
class View:
    """What the network is shown.

    Attributes:
        image: [S, S, 3] uint8.
        matrix: from pixels of the picture to pixels of `image`.
    """

    image: Image
    matrix: Affine

    def to_picture(self, points: Points) -> Points:
        """Points of the view in pixels of the picture."""
        return apply(invert(self.matrix), points)


def whole_region(spec: HeatmapSpec, size_wh: tuple[int, int], box: BoxXywhPx | None) -> BoxXywhPx:
    """The square that shows the whole picture, or the object's box with its margin if there is one."""
    return square_around(size_wh) if box is None else region_of_box(box, spec.box_margin)


def points_region(spec: HeatmapSpec, size_wh: tuple[int, int], points: Points, widen: float = 1.0) -> BoxXywhPx | None:
    """The square around points with its margin, its side times `widen`; None without a known point."""
    box = extent_of(points)
    if box is None:
        return None
    x, y, width, height = region_of_box(region_of_box(box, spec.points_margin), (widen - 1) / 2)
    grow = max(0.0, _LEAST_SHARE * max(size_wh) - width)
    return x - grow / 2, y - grow / 2, width + grow, height + grow


def region_view(image: Image, region_xywh_px: BoxXywhPx, size: int, change: Affine | None = None) -> View:
    """Show a square region, black where it reaches out of the picture.

    Args:
        image: the picture.
        region_xywh_px: square, in its pixels.
        size: side of the view.
        change: a map of the view onto itself, applied last.
    """
    matrix = onto_square(region_xywh_px, size)
    matrix = matrix if change is None else compose(change, matrix)
    return View(np.asarray(warp(image, matrix, (size, size)), np.uint8), matrix)


def whole_view(spec: HeatmapSpec, image: Image, box: BoxXywhPx | None) -> View:
    """Show the whole picture, or the object's box."""
    return region_view(image, whole_region(spec, (image.shape[1], image.shape[0]), box), spec.input_px)


def points_view(spec: HeatmapSpec, image: Image, points: Points, widen: float = 1.0) -> View | None:
    """Show what lies around points, as the document does if the model is the document's; None without a point."""
    region = points_region(spec, (image.shape[1], image.shape[0]), points, widen)
    if region is None:
        return None
    if spec.region == "document":
        crop = crop_like_document(image, points)
        return View(crop.image, crop.matrix)
    return region_view(image, region, spec.input_px)
