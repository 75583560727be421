"""From heatmaps to points: four ways, one pixel convention.

A heatmap of w x h cells covers the network's input of W x H pixels: cell i reaches from i W/w to (i + 1) W/w, and its
middle is (i + 0.5) W/w. The decoders give x, y in cells, `decode_maps` in pixels of the input, from 0 to W and 0 to H.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_WINDOW = 3
"""Cells on each side of the peak that `around_peak` averages over."""
_BLUR_CELLS = 2
_TINY = 1e-10


def argmax(heatmap: FloatArray) -> tuple[float, float]:
    """The middle of the highest cell; of several, the first in reading order.

    Args:
        heatmap: [h, w].

    Returns:
        x, y in cells.
    """
    y, x = _peak(heatmap)
    return x + 0.5, y + 0.5


def average(heatmap: FloatArray) -> tuple[float, float]:
    """The average of all cells, weighted by their values (negative ones count as 0); the middle of an empty map.

    The document's way. Every bit of background far from the peak pulls the point towards the middle of the map.
    """
    height, width = heatmap.shape
    weights = np.maximum(heatmap, 0.0)
    total = float(weights.sum())
    if total <= _TINY:
        return width / 2, height / 2
    x = float(weights.sum(axis=0) @ (np.arange(width) + 0.5)) / total
    y = float(weights.sum(axis=1) @ (np.arange(height) + 0.5)) / total
    return x, y


def around_peak(heatmap: FloatArray) -> tuple[float, float]:
    """The weighted average over 7 x 7 cells around the highest.

    Near a border the window shrinks on both sides alike, so that a cut-off window does not pull the point inwards.
    """
    height, width = heatmap.shape
    y, x = _peak(heatmap)
    across, down = min(_WINDOW, x, width - 1 - x), min(_WINDOW, y, height - 1 - y)
    inside = heatmap[y - down : y + down + 1, x - across : x + across + 1]
    if not (inside > 0).any():
        return x + 0.5, y + 0.5
    near_x, near_y = average(inside)
    return x - across + near_x, y - down + near_y


def taylor(heatmap: FloatArray) -> tuple[float, float]:
    """The highest cell, moved to where a Gaussian through it and its neighbours has its top.

    Second-order Taylor expansion of the logarithm of the map, slightly blurred first (DARK: Zhang et al.,
    "Distribution-Aware Coordinate Representation for Human Pose Estimation", CVPR 2020). The step is at most one cell
    along each axis; where the peak lies on the border or is no peak of a bell, it is `argmax`.
    """
    height, width = heatmap.shape
    y, x = _peak(heatmap)
    if not (0 < x < width - 1 and 0 < y < height - 1) or heatmap[y, x] <= 0:
        return x + 0.5, y + 0.5
    logs = np.log(np.maximum(_blurred(heatmap, x, y), _TINY))
    slope = np.array([logs[1, 2] - logs[1, 0], logs[2, 1] - logs[0, 1]]) / 2
    bend_xx = logs[1, 2] - 2 * logs[1, 1] + logs[1, 0]
    bend_yy = logs[2, 1] - 2 * logs[1, 1] + logs[0, 1]
    bend_xy = (logs[2, 2] - logs[2, 0] - logs[0, 2] + logs[0, 0]) / 4
    hessian = np.array([[bend_xx, bend_xy], [bend_xy, bend_yy]])
    if bend_xx >= 0 or np.linalg.det(hessian) <= _TINY:
        return x + 0.5, y + 0.5
    step = np.clip(-np.linalg.solve(hessian, slope), -1.0, 1.0)
    return x + 0.5 + float(step[0]), y + 0.5 + float(step[1])


Decoder = Callable[[FloatArray], tuple[float, float]]

DECODERS: Mapping[str, Decoder] = {
    "argmax": argmax,
    "average": average,
    "around-peak": around_peak,
    "taylor": taylor,
}


def decode_maps(maps: npt.NDArray[Any], size: int, decoding: str) -> tuple[FloatArray, FloatArray]:
    """Points of the heatmaps of one picture.

    Args:
        maps: [h, w, K].
        size: width and height of the network's input in pixels.
        decoding: a key of `DECODERS`.

    Returns:
        [K, 2] x, y in pixels of the input, and [K] the peaks' values.
    """
    decoder = DECODERS[decoding]
    height, width, count = maps.shape
    values = maps.astype(np.float64)
    cells = np.array([decoder(values[..., index]) for index in range(count)]).reshape(count, 2)
    return cells * (size / width, size / height), values.max(axis=(0, 1))


def maps_of_simcc(simcc: npt.NDArray[Any]) -> FloatArray:
    """The heatmaps [bins, bins, K] whose rows and columns are the two distributions of each point.

    Args:
        simcc: [K, 2, bins], x first.
    """
    values = simcc.astype(np.float64)
    return np.asarray(np.einsum("kh,kw->hwk", values[:, 1], values[:, 0]), np.float64)


def _peak(heatmap: FloatArray) -> tuple[int, int]:
    """Row and column of the highest cell; NaN counts as nothing."""
    row, column = np.unravel_index(int(np.argmax(np.nan_to_num(heatmap, nan=-np.inf))), heatmap.shape)
    return int(row), int(column)


def _blurred(heatmap: FloatArray, x: int, y: int) -> FloatArray:
    """[3, 3] around the peak, of the map blurred by a Gaussian of sigma 1 (cells beyond the border: as the border)."""
    reach = 1 + _BLUR_CELLS
    part = np.pad(np.maximum(heatmap, 0.0), reach, mode="edge")[y : y + 2 * reach + 1, x : x + 2 * reach + 1]
    kernel = np.exp(-(np.arange(-_BLUR_CELLS, _BLUR_CELLS + 1) ** 2) / 2.0)
    kernel /= kernel.sum()
    rows = np.array([np.convolve(row, kernel, mode="valid") for row in part])
    columns = [np.convolve(column, kernel, mode="valid") for column in rows.T]
    return np.stack(columns, axis=1)
