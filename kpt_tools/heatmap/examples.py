"""From a stored patch to what a training step eats: picture, target, points, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import BoxXywhPx
from kpt_tools.heatmap.augment import AugmentPolicy, exchanged, exchanged_places, random_map, recoloured
from kpt_tools.heatmap.document import crop_like_document
from kpt_tools.heatmap.geometry import Affine, Image, Points, apply, compose, warp
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.heatmap.targets import circle_heatmaps, gaussian_heatmaps, normalised, simcc_targets
from kpt_tools.heatmap.views import points_region, region_view, whole_region

_SHARE_OF_CROPS = 0.45
_SHARE_BETWEEN = 0.25
"""Of the views of a "both" model; the rest shows the whole. Between: regions on the way from the crop to the whole."""


@dataclass(frozen=True)
class Patch:
    """The part of a picture that holds one object, stored small.

    Attributes:
        name: of the picture.
        object_id: of the annotation.
        image: [H, W, 3] uint8.
        points: [K, 2] in pixels of `image`; NaN where not labelled.
        box_xywh_px: the object's box in pixels of `image`, or None.
        to_picture: from pixels of `image` to pixels of the picture.
        picture_wh: width and height of the picture.
    """

    name: str
    object_id: int
    image: Image
    points: Points
    box_xywh_px: BoxXywhPx | None
    to_picture: Affine
    picture_wh: tuple[int, int]


@dataclass(frozen=True)
class Example:
    """What one training step takes of one object.

    Attributes:
        image: [S, S, 3] uint8.
        target: float32: heatmaps [h, w, K], distributions [K, 2, bins], or an empty array for "points".
        points: [K, 2] float32 from 0 to 1 over the input; 0 where the point is not known.
        weights: [K] float32: 1 where the point is labelled and inside the view, else 0.
    """

    image: Image
    target: npt.NDArray[np.float32]
    points: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


def training_example(
    patch: Patch,
    spec: HeatmapSpec,
    policy: AugmentPolicy,
    flip_pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> Example:
    """A randomly changed view of a patch with its target; the same state of `rng` gives the same."""
    change, mirrored = random_map(rng, spec.input_px, policy)
    if spec.region == "document":
        example = _document_example(patch, spec, change, mirrored, flip_pairs)
    else:
        region = _random_region(patch, spec, rng)
        view = region_view(patch.image, region, spec.input_px, change)
        points = apply(view.matrix, patch.points)
        example = _example(view.image, exchanged(points, flip_pairs) if mirrored else points, spec)
    return replace(example, image=recoloured(rng, example.image, policy.colour))


def plain_example(patch: Patch, spec: HeatmapSpec) -> Example:
    """The unchanged view of a patch with its target; around the true points if the model is shown crops."""
    if spec.region == "document":
        return _document_example(patch, spec, None, False, ())
    size = patch.image.shape[1], patch.image.shape[0]
    region = None if spec.region == "whole" else points_region(spec, size, patch.points)
    view = region_view(patch.image, region or whole_region(spec, size, patch_box(patch, spec)), spec.input_px)
    return _example(view.image, apply(view.matrix, patch.points), spec)


def patch_box(patch: Patch, spec: HeatmapSpec) -> BoxXywhPx | None:
    """The box that "whole" means; None for the whole picture."""
    return patch.box_xywh_px if spec.whole == "box" else None


def target_of(points: Points, spec: HeatmapSpec) -> npt.NDArray[np.float32]:
    """The target for points in pixels of the input."""
    cells = points * (spec.output_px / spec.input_px)
    size = (spec.output_px, spec.output_px)
    if spec.target == "gaussian":
        return gaussian_heatmaps(cells, size, spec.sigma)
    if spec.target == "circle":
        return circle_heatmaps(cells, size)
    if spec.target == "softargmax":
        return normalised(gaussian_heatmaps(cells, size, spec.sigma))
    if spec.target == "simcc":
        return simcc_targets(points, spec.input_px, spec.output_px, spec.sigma)
    return np.zeros(0, np.float32)


def _random_region(patch: Patch, spec: HeatmapSpec, rng: np.random.Generator) -> BoxXywhPx:
    """The region to show; for "both" the crop, the whole, or something between them."""
    size = patch.image.shape[1], patch.image.shape[0]
    whole = whole_region(spec, size, patch_box(patch, spec))
    draw = rng.random()
    crop = None if spec.region == "whole" else points_region(spec, size, patch.points)
    if crop is None:
        return whole
    if spec.region == "points" or draw < _SHARE_OF_CROPS:
        return crop
    share = min(1.0, (draw - _SHARE_OF_CROPS) / _SHARE_BETWEEN)
    x, y, w, h = (float(a + share * (b - a)) for a, b in zip(crop, whole, strict=True))
    return x, y, w, h


def _document_example(
    patch: Patch,
    spec: HeatmapSpec,
    change: Affine | None,
    mirrored: bool,
    flip_pairs: Sequence[tuple[int, int]],
) -> Example:
    """The document's crop and heatmaps, moved together by `change`."""
    kind = "gaussian" if spec.target == "gaussian" else "circle"
    crop = crop_like_document(patch.image, patch.points, patch.points, kind)
    matrix = crop.matrix if change is None else compose(change, crop.matrix)
    points = apply(matrix, patch.points)
    image, maps = crop.image, crop.heatmaps
    assert maps is not None
    if change is not None:
        size = (spec.input_px, spec.input_px)
        image, maps = warp(image, change, size), warp(maps, change, size)
    if mirrored:
        points = exchanged(points, flip_pairs)
        maps = maps[..., exchanged_places(maps.shape[-1], flip_pairs)]
    drawn = spec.target in ("gaussian", "circle")
    example = _example(np.asarray(image, np.uint8), points, spec)
    return replace(example, target=np.ascontiguousarray(maps, np.float32)) if drawn else example


def _example(image: Image, points: Points, spec: HeatmapSpec) -> Example:
    inside = np.all((points >= 0) & (points <= spec.input_px), axis=1)  # False for NaN
    known = np.where(np.expand_dims(inside, 1), points, np.nan)
    return Example(
        image,
        target_of(known, spec),
        np.asarray(np.nan_to_num(known / spec.input_px, nan=0.0), np.float32),
        np.asarray(inside, np.float32),
    )
