"""Numbers of the second road: points found against points labelled, in pixels of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpt_tools.entities import BoxXywhPx, Detection, Instance, ModelMetadata
from kpt_tools.heatmap.examples import Patch
from kpt_tools.heatmap.finder import Found, detection_of
from kpt_tools.heatmap.geometry import Points, apply, extent_of
from kpt_tools.metrics.nme import NmeResult, nme_of_objects, pair_norms, summarise_nme
from kpt_tools.metrics.pck import KeypointErrors, distances, summarise, swaps

END_TO_END = "end to end"
TRUE_BOX = "true box"
TRUE_CROP = "true crop"

Match = tuple[Instance, Detection]


@dataclass(frozen=True)
class HeatmapRow:
    """One way to look and to decode.

    Attributes:
        mode: "end to end": nothing about the object was told but what a patch shows; "true box": the object's box
            was told, as a perfect detector would; "true crop": the crop is around the true points.
        decoding: how heatmaps became points.
        nme: by the distance of the first left/right pair (the eyes); without such a pair as `nme_box`.
        nme_box: by the larger side of the object's box.
        errors: PCK by the box's larger side, and pixel errors, over all points.
        keypoints: the same per keypoint.
        swapped: left/right pairs that were exchanged.
        pairs: left/right pairs that were looked at.
    """

    mode: str
    decoding: str
    nme: NmeResult
    nme_box: NmeResult
    errors: KeypointErrors
    keypoints: tuple[KeypointErrors, ...]
    swapped: int
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "mode": self.mode,
            "decoding": self.decoding,
            "nme": self.nme.to_dict(),
            "nme_box": self.nme_box.to_dict(),
            "errors": self.errors.to_dict(),
            "keypoints": [each.to_dict() for each in self.keypoints],
            "swapped": self.swapped,
            "pairs": self.pairs,
        }


def truth_of(patch: Patch) -> Instance:
    """The object of a patch in pixels of its picture; without a box, the extent of its points stands for one."""
    points = apply(patch.to_picture, patch.points)
    rows = tuple((0.0, 0.0, 0) if np.isnan(x) else (float(x), float(y), 2) for x, y in points)
    return Instance(patch.object_id, 0, 1, _box_of(patch), 0.0, rows)


def in_picture(found: Found, patch: Patch, metadata: ModelMetadata) -> Detection:
    """What was found in a patch, as a detection in pixels of its picture."""
    points = apply(patch.to_picture, found.points)
    moved = Found(points, found.scores, found.view, found.raw)
    return detection_of(moved, metadata, patch.picture_wh, None)


def measure(mode: str, decoding: str, matches: Sequence[Match], metadata: ModelMetadata) -> HeatmapRow:
    """All numbers of one way."""
    count = metadata.label_map.num_keypoints
    pixels, relative = distances(matches, count)
    by_box = _mean_rows(relative)
    pairs = metadata.flip_pairs
    exchanged = swaps(matches, pairs)
    values = by_box
    if pairs:
        values = nme_of_objects(pixels, pair_norms([truth.keypoints_xyv for truth, _ in matches], pairs[0]))
    return HeatmapRow(
        mode=mode,
        decoding=decoding,
        nme=summarise_nme(values),
        nme_box=summarise_nme(by_box),
        errors=summarise(pixels, relative),
        keypoints=tuple(summarise(pixels[:, k], relative[:, k]) for k in range(count)),
        swapped=sum(swapped for swapped, _ in exchanged),
        pairs=sum(total for _, total in exchanged),
    )


def _mean_rows(relative: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Points:
    return nme_of_objects(relative, np.ones(len(relative)))


def _box_of(patch: Patch) -> BoxXywhPx | None:
    if patch.box_xywh_px is None:
        return extent_of(apply(patch.to_picture, patch.points))
    x, y, w, h = patch.box_xywh_px
    (left, top), (right, bottom) = apply(patch.to_picture, np.array([[x, y], [x + w, y + h]]))
    return float(left), float(top), float(right - left), float(bottom - top)
