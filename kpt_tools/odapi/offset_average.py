"""What the cells around a place say together: as unbiased as what one cell says, and less noisy."""

from __future__ import annotations

from itertools import product
from typing import Any

WINDOW = 3
"""Cells on a side of the square that is averaged."""
MOVES = tuple(product(range(-(WINDOW // 2), WINDOW // 2 + 1), repeat=2))
"""From a cell to each of those that are averaged, in y and x."""


def mean(maps: Any) -> Any:
    """The mean over each cell and its neighbours, at the border of those there are: [N, h, w, C] float32."""
    import tensorflow as tf

    return tf.nn.avg_pool2d(maps, WINDOW, strides=1, padding="SAME")


def averaged(offsets: Any) -> Any:
    """The mean of the positions that a cell and its neighbours point at, as offsets from the cell.

    Args:
        offsets: [N, h, w, 2 K] float32, y and x per keypoint in cells.

    Returns:
        The same shape. At the border the mean is over the cells that there are.
    """
    import tensorflow as tf

    shape = tf.shape(offsets)
    rows = _towards_inside(shape[1])[tf.newaxis, :, tf.newaxis, tf.newaxis]
    columns = _towards_inside(shape[2])[tf.newaxis, tf.newaxis, :, tf.newaxis]
    ones = tf.ones([1, shape[1], shape[2], 1])
    pairs = tf.concat([rows * ones, columns * ones], axis=-1)
    return mean(offsets) + tf.tile(pairs, [1, 1, 1, offsets.shape[-1] // 2])


def _towards_inside(cells: Any) -> Any:
    """How far the mean place of a cell and its neighbours is from the cell's own: half a cell at the first and last."""
    import tensorflow as tf

    places = tf.range(cells)
    return (tf.cast(places == 0, tf.float32) - tf.cast(places == cells - 1, tf.float32)) / 2


def mean_at(around: Any, inside: Any) -> Any:
    """What `mean` has in some places.

    Args:
        around: [P, 9, C] float32, the values in the cells that `MOVES` lead to from each place.
        inside: [P, 9] bool, which of them are in the map.

    Returns:
        [P, C] float32.
    """
    import tensorflow as tf

    shares = tf.cast(inside, tf.float32)[..., tf.newaxis]
    return tf.reduce_sum(around * shares, axis=1) / tf.reduce_sum(shares, axis=1)


def averaged_at(around: Any, inside: Any) -> Any:
    """What `averaged` has in some places; see `mean_at`."""
    import tensorflow as tf

    moves = tf.tile(tf.constant(MOVES, tf.float32), [1, around.shape[-1] // 2])
    return mean_at(around + moves, inside)
