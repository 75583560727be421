"""What a network is to answer for known points: heatmaps in two ways, or one-dimensional distributions.

Heatmaps are [H, W, K] float32. A point that is not known (NaN) has a target of zeros; training gives it no weight.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kpt_tools.heatmap.geometry import Points

FloatArray = npt.NDArray[np.float32]

FULL = 255.0
"""The value of a heatmap's peak before it is scaled by 255, as the document draws it."""
CIRCLE_RADIUS = 2
CIRCLE_THICKNESS = 2
BLUR = (5, 5)


def gaussian_heatmaps(points: Points, size_hw: tuple[int, int], sigma: float) -> FloatArray:
    """exp(-d^2 / (2 sigma^2)) with d from the middle of each cell to the point; the peak is at most 1.

    Args:
        points: [K, 2], in cells of the heatmap.
        size_hw: height and width of the heatmap.
        sigma: in cells.
    """
    height, width = size_hw
    across = _bell(points[:, 0], width, sigma)
    down = _bell(points[:, 1], height, sigma)
    return np.ascontiguousarray(np.einsum("kh,kw->hwk", down, across).astype(np.float32))


def circle_heatmaps(points: Points, size_hw: tuple[int, int]) -> FloatArray:
    """A drawn circle of radius 2 and thickness 2 on the point's pixel, blurred by a 5x5 Gaussian; from 0 to 1.

    These are OpenCV's ``circle`` and ``GaussianBlur`` with the sigma that it derives from the kernel (1.1).

    Args:
        points: [K, 2], in cells of the heatmap; the circle is drawn on the cell that holds the point.
        size_hw: height and width of the heatmap.
    """
    import cv2

    maps = np.zeros((*size_hw, len(points)), np.float32)
    for index, (x, y) in enumerate(points):
        if np.isnan(x) or np.isnan(y):
            continue
        drawn = np.zeros(size_hw, np.float32)
        cv2.circle(drawn, (int(np.floor(x)), int(np.floor(y))), CIRCLE_RADIUS, FULL, CIRCLE_THICKNESS)
        maps[..., index] = cv2.GaussianBlur(drawn, BLUR, 0) / FULL
    return maps


def normalised(maps: FloatArray) -> FloatArray:
    """Heatmaps [H, W, K] whose values add up to 1; a map of zeros stays one."""
    sums = maps.sum(axis=(0, 1), keepdims=True)
    return np.asarray(np.divide(maps, sums, out=np.zeros_like(maps), where=sums > 0), np.float32)


def simcc_targets(points: Points, size: int, bins: int, sigma: float) -> FloatArray:
    """One distribution over x and one over y per point (SimCC: Li et al., ECCV 2022).

    Args:
        points: [K, 2], in pixels of the input.
        size: width and height of the input in pixels.
        bins: per axis.
        sigma: of the smoothed label, in bins.

    Returns:
        [K, 2, bins]: first x, then y; each adds up to 1, or is zeros where the point is not known or far outside.
    """
    at = points * (bins / size)
    rows = np.stack([_bell(at[:, 0], bins, sigma), _bell(at[:, 1], bins, sigma)], axis=1)
    sums = rows.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(rows, sums, out=np.zeros_like(rows), where=sums > 1e-6), np.float32)


def _bell(centres: npt.NDArray[np.float64], cells: int, sigma: float) -> npt.NDArray[np.float64]:
    """[K, cells]: the bell around each centre at the middles of the cells; zeros for NaN."""
    middles = np.arange(cells) + 0.5
    squares = (middles[None, :] - centres[:, None]) ** 2
    return np.nan_to_num(np.exp(-squares / (2 * sigma * sigma)), nan=0.0)
