"""Sheets of the second road: the document's steps on examples, and predictions with their heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kpt_tools.entities import ModelMetadata
from kpt_tools.heatmap.decode import maps_of_simcc
from kpt_tools.heatmap.document import FRAME_PX, crop_like_document, draw_heatmaps, resize_with_borders
from kpt_tools.heatmap.examples import Patch
from kpt_tools.heatmap.finder import Found
from kpt_tools.heatmap.geometry import apply
from kpt_tools.report.contact_sheet import contact_sheet
from kpt_tools.report.heatmaps import enlarged, marked, overlaid

if TYPE_CHECKING:
    from PIL import Image

_TILE_PX = 256


@dataclass(frozen=True)
class Shown:
    """A prediction to show: the patch, and what was found in it."""

    patch: Patch
    found: Found


def steps_sheet(patches: Sequence[Patch], metadata: ModelMetadata) -> Image.Image:
    """One row per patch: resized with borders and points, both kinds of heatmaps, and the crop with both."""
    tiles = []
    for patch in patches:
        square, onto = resize_with_borders(patch.image)
        points = apply(onto, patch.points)
        tiles.append((marked(square, None, points, _TILE_PX), f"{patch.name} at {FRAME_PX} px"))
        for kind in ("gaussian", "circle"):
            maps = draw_heatmaps(points, FRAME_PX, kind)
            tiles.append((enlarged(overlaid(square, maps), _TILE_PX), f"{kind} heatmaps"))
        for kind in ("gaussian", "circle"):
            crop = crop_like_document(patch.image, patch.points, patch.points, kind)
            assert crop.heatmaps is not None
            tiles.append((enlarged(overlaid(crop.image, crop.heatmaps), _TILE_PX), f"crop, {kind}"))
    return contact_sheet(tiles, columns=5, tile_px=_TILE_PX, legend=metadata.label_map)


def predictions_sheet(shown: Sequence[Shown], metadata: ModelMetadata) -> Image.Image:
    """One row per prediction: what the model was shown with truth (rings) and points (crosses), all heatmaps, each one.

    A model of coordinates has no heatmaps; its rows show the picture and the view only.
    """
    tiles = []
    names = [keypoint.name for item in metadata.label_map.items for keypoint in item.keypoints]
    for each in shown:
        view, patch = each.found.view, each.patch
        seen = apply(view.matrix, patch.points), apply(view.matrix, each.found.points)
        tiles.append((marked(patch.image, each.found.points, patch.points, _TILE_PX), patch.name))
        tiles.append((marked(view.image, seen[1], seen[0], _TILE_PX), "truth o, found x"))
        maps = _maps_of(each.found)
        if maps is not None:
            tiles.append((enlarged(overlaid(view.image, maps), _TILE_PX), "all heatmaps"))
            for index, name in enumerate(names):
                alone = np.zeros_like(maps)
                alone[..., index] = maps[..., index]
                tiles.append((enlarged(overlaid(view.image, alone), _TILE_PX), name))
    return contact_sheet(tiles, columns=len(tiles) // len(shown), tile_px=_TILE_PX, legend=metadata.label_map)


def _maps_of(found: Found) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """[h, w, K] of the view that was looked at, or None."""
    if "heatmaps" in found.raw:
        return np.asarray(found.raw["heatmaps"][0], np.float64)
    return maps_of_simcc(found.raw["simcc"][0]) if "simcc" in found.raw else None
