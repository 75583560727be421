"""Pixel errors of keypoints, the share of correct ones (PCK), and how often left and right are exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import Detection, Instance

PCK_FRACTIONS = (0.05, 0.1, 0.2)

Match = tuple[Instance, Detection]


@dataclass(frozen=True, slots=True)
class KeypointErrors:
    """Distances between predicted and labelled points of matched objects.

    Attributes:
        labelled: number of labelled points (v > 0) behind the numbers.
        pck: share of points within 0.05, 0.1 and 0.2 of the larger side of the annotated box; None if none
            is labelled.
        median_px: median distance.
        p95_px: 95th percentile (linear interpolation).
    """

    labelled: int
    pck: tuple[float | None, float | None, float | None]
    median_px: float | None
    p95_px: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """JSON-able form, with keys like "pck@0.05"."""
        shares = {f"pck@{fraction}": share for fraction, share in zip(PCK_FRACTIONS, self.pck, strict=True)}
        return {"labelled": self.labelled, **shares, "median_px": self.median_px, "p95_px": self.p95_px}


def distances(matches: Sequence[Match], num_keypoints: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distances in pixels, and the same relative to the larger side of the annotated box.

    Args:
        matches: annotated object and detection, of one class with `num_keypoints` points.
        num_keypoints: K of that class.

    Returns:
        Two arrays [len(matches), K], float64; NaN where the point is not labelled.
    """
    pixels = np.full((len(matches), num_keypoints), np.nan)
    relative = np.full_like(pixels, np.nan)
    for row, (truth, detection) in enumerate(matches):
        if not truth.keypoints_xyv or truth.box_xywh_px is None:
            continue
        true_xyv = np.asarray(truth.keypoints_xyv, dtype=np.float64)
        found_xy = np.asarray(detection.keypoints_xys, dtype=np.float64)[:, :2]
        error = np.hypot(*(found_xy - true_xyv[:, :2]).T)
        pixels[row] = np.where(true_xyv[:, 2] > 0, error, np.nan)
        side = max(truth.box_xywh_px[2], truth.box_xywh_px[3])
        relative[row] = pixels[row] / max(side, np.finfo(float).tiny)
    return pixels, relative


def summarise(pixels: npt.NDArray[np.float64], relative: npt.NDArray[np.float64]) -> KeypointErrors:
    """Condense distances (any shape, NaN where not labelled) into shares, median and percentile."""
    known = pixels[~np.isnan(pixels)]
    shares = relative[~np.isnan(relative)]
    if not known.size:
        return KeypointErrors(0, (None, None, None), None, None)
    five, ten, twenty = (float((shares <= fraction).mean()) for fraction in PCK_FRACTIONS)
    return KeypointErrors(
        int(known.size), (five, ten, twenty), float(np.median(known)), float(np.percentile(known, 95))
    )


def swaps(matches: Sequence[Match], pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many left/right pairs are exchanged.

    A pair counts where both its points are labelled. It is exchanged if the two predicted points, taken
    the other way round, lie nearer to the two labelled ones (smaller sum of distances).

    Args:
        matches: annotated object and detection of one class.
        pairs: indices into the class's own keypoints.

    Returns:
        Number of exchanged pairs, and number of pairs that were looked at.
    """
    swapped = total = 0
    for truth, detection in matches:
        for a, b in pairs:
            if not truth.keypoints_xyv or min(truth.keypoints_xyv[a][2], truth.keypoints_xyv[b][2]) <= 0:
                continue
            total += 1
            straight = _distance(truth, detection, a, a) + _distance(truth, detection, b, b)
            crossed = _distance(truth, detection, a, b) + _distance(truth, detection, b, a)
            swapped += crossed < straight
    return swapped, total


def _distance(truth: Instance, detection: Detection, true_index: int, found_index: int) -> float:
    x, y, _ = truth.keypoints_xyv[true_index]
    found_x, found_y, _ = detection.keypoints_xys[found_index]
    return float(np.hypot(found_x - x, found_y - y))
