"""Target heatmaps of keypoints in a fraction of the time and memory, with the same values but for rounding.

The OD API draws the Gaussian of each of M objects' K keypoints into each of the K channels, [H, W, M K, K] numbers that
are zero but for one channel, and takes the maximum. Here each is drawn into its own channel only, [H, W, M, K], as the
product of one Gaussian per row and one per column: H + W exponentials instead of H W.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def each_in_its_channel(model: Any) -> Iterator[None]:
    """Inside the block, a CenterNet's keypoint tasks make their target heatmaps with `heatmap`.

    Args:
        model: a detection model of the OD API; without keypoint tasks nothing changes.
    """
    assigners = [model._target_assigner_dict[task] for task in getattr(model, "_kp_params_dict", None) or {}]
    for assigner in assigners:
        assigner.assign_keypoint_heatmap_targets = functools.partial(_assign, type(assigner), assigner)
    try:
        yield
    finally:
        for assigner in assigners:
            del assigner.assign_keypoint_heatmap_targets


def _assign(kind: Any, assigner: Any, *args: Any, **params: Any) -> Any:
    """The assigner's own method, which calls `heatmap` for `coordinates_to_heatmap`."""
    from object_detection.core.target_assigner import ta_utils

    theirs = ta_utils.coordinates_to_heatmap
    ta_utils.coordinates_to_heatmap = heatmap
    try:
        return kind.assign_keypoint_heatmap_targets(assigner, *args, **params)
    finally:
        ta_utils.coordinates_to_heatmap = theirs


def heatmap(
    y_grid: Any,
    x_grid: Any,
    y_coordinates: Any,
    x_coordinates: Any,
    sigma: Any,
    channel_onehot: Any,
    channel_weights: Any,
) -> Any:
    """What `target_assigner_utils.coordinates_to_heatmap` returns for keypoints; the arguments are named as there.

    Args:
        y_grid: [H, W] float32; the y of each cell, the same along a row.
        x_grid: [H, W] float32; the x of each cell, the same along a column.
        y_coordinates: [M K] float32 in cells, the K keypoints of the first object first.
        x_coordinates: [M K] float32.
        sigma: [M K] float32; standard deviations in cells.
        channel_onehot: [M K, K] float32; says the number of keypoints.
        channel_weights: [M K] float32, 0 for keypoints that are not labelled.

    Returns:
        [H, W, K] float32; the largest value of any object's Gaussian, exp(-d^2 / (2 sigma^2)) times its weight.
    """
    import tensorflow as tf

    def by_keypoint(values: Any) -> Any:
        return tf.reshape(values, [-1, channel_onehot.shape[1]])

    def along(axis: Any, places: Any) -> Any:
        distance = axis[:, tf.newaxis, tf.newaxis] - tf.math.floor(by_keypoint(places))
        return tf.exp(-(distance**2) / (2 * by_keypoint(sigma) ** 2))

    rows = along(y_grid[:, 0], y_coordinates) * by_keypoint(channel_weights)
    columns = along(x_grid[0], x_coordinates)
    gaussians = rows[:, tf.newaxis] * columns
    # The maximum of no object is -inf.
    return tf.stop_gradient(tf.maximum(tf.reduce_max(gaussians, axis=2), 0.0))
