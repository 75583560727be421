"""Pixel errors of keypoints, the share of correct ones (PCK), and how often left and right are exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import Detection, Instance

PCK_FRACTIONS = (0.05, 0.1, 0.2)
CURVE_FRACTIONS = tuple(percent / 100 for percent in range(31))
"""Where the PCK curve is measured: 0 to 30 % of the larger side of the annotated box."""

Match = tuple[Instance, Detection]


@dataclass(frozen=True, slots=True)
class KeypointErrors:
    """Distances between predicted and labelled points of matched objects.

    Attributes:
        labelled: number of labelled points (v > 0) behind the numbers.
        pck: share of points within 0.05, 0.1 and 0.2 of the larger side of the annotated box; None if none
            is labelled.
        median_px: median distance.
        p90_px: 90th percentile (linear interpolation).
        p95_px: 95th percentile.
        median_relative: median of the distances as shares of the larger side of the annotated box.
        p90_relative: their 90th percentile.
        curve: share of points within each of `CURVE_FRACTIONS`; empty if none is labelled.
    """

    labelled: int
    pck: tuple[float | None, float | None, float | None]
    median_px: float | None
    p90_px: float | None
    p95_px: float | None
    median_relative: float | None
    p90_relative: float | None
    curve: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, with keys like "pck@0.05"."""
        shares = {f"pck@{fraction}": share for fraction, share in zip(PCK_FRACTIONS, self.pck, strict=True)}
        return {
            "labelled": self.labelled,
            **shares,
            "median_px": self.median_px,
            "p90_px": self.p90_px,
            "p95_px": self.p95_px,
            "median_relative": self.median_relative,
            "p90_relative": self.p90_relative,
            "pck_curve": [round(share, 5) for share in self.curve],
        }


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
        return KeypointErrors(0, (None, None, None), None, None, None, None, None)
    five, ten, twenty = (float((shares <= fraction).mean()) for fraction in PCK_FRACTIONS)
    return KeypointErrors(
        labelled=int(known.size),
        pck=(five, ten, twenty),
        median_px=float(np.median(known)),
        p90_px=float(np.percentile(known, 90)),
        p95_px=float(np.percentile(known, 95)),
        median_relative=float(np.median(shares)),
        p90_relative=float(np.percentile(shares, 90)),
        curve=tuple(float((shares <= fraction).mean()) for fraction in CURVE_FRACTIONS),
    )


def swaps(matches: Sequence[Match], pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """How often each left/right pair is exchanged.

    A pair counts where both its points are labelled. It is exchanged if the two predicted points, taken
    the other way round, lie nearer to the two labelled ones (smaller sum of distances).

    Args:
        matches: annotated object and detection of one class.
        pairs: indices into the class's own keypoints.

    Returns:
        For each of `pairs`: how often it is exchanged, and how often it was looked at.
    """
    found = []
    for a, b in pairs:
        verdicts = [exchanged(truth, detection, a, b) for truth, detection in matches]
        found.append((verdicts.count(True), len(verdicts) - verdicts.count(None)))
    return found


def exchanged(truth: Instance, detection: Detection, a: int, b: int) -> bool | None:
    """Whether the predicted points `a` and `b` fit better the other way round; None if not both are labelled."""
    if not truth.keypoints_xyv or min(truth.keypoints_xyv[a][2], truth.keypoints_xyv[b][2]) <= 0:
        return None
    straight = distance(truth, detection, a, a) + distance(truth, detection, b, b)
    return distance(truth, detection, a, b) + distance(truth, detection, b, a) < straight


def distance(truth: Instance, detection: Detection, true_index: int, found_index: int) -> float:
    """Pixels from a labelled point of `truth` to a predicted one of `detection`."""
    x, y, _ = truth.keypoints_xyv[true_index]
    found_x, found_y, _ = detection.keypoints_xys[found_index]
    return float(np.hypot(found_x - x, found_y - y))
