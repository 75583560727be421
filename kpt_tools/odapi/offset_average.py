"""Offsets as the cells around a place say together: as unbiased as those of one cell, and less noisy."""

from __future__ import annotations

from typing import Any

WINDOW = 3
"""Cells on a side of the square that is averaged."""


def averaged(offsets: Any) -> Any:
    """The mean of the positions that a cell and its neighbours point at, as offsets from the cell.

    Args:
        offsets: [N, h, w, 2 K] float32, y and x per keypoint in cells.

    Returns:
        The same shape. At the border the mean is over the cells that there are.
    """
    import tensorflow as tf

    shape = tf.shape(offsets)
    means = tf.nn.avg_pool2d(offsets, WINDOW, strides=1, padding="SAME")
    rows = _towards_inside(shape[1])[tf.newaxis, :, tf.newaxis, tf.newaxis]
    columns = _towards_inside(shape[2])[tf.newaxis, tf.newaxis, :, tf.newaxis]
    ones = tf.ones([1, shape[1], shape[2], 1])
    pairs = tf.concat([rows * ones, columns * ones], axis=-1)
    return means + tf.tile(pairs, [1, 1, 1, offsets.shape[-1] // 2])


def _towards_inside(cells: Any) -> Any:
    """How far the mean place of a cell and its neighbours is from the cell's own: half a cell at the first and last."""
    import tensorflow as tf

    places = tf.range(cells)
    return (tf.cast(places == 0, tf.float32) - tf.cast(places == cells - 1, tf.float32)) / 2
