"""One object is one peak of the centre heatmap, also where two neighbouring cells have the same score.

The OD API takes every cell for an object that is no lower than the eight around it. In float32 that is one cell. In
bfloat16, which has three digits, neighbours at the top of a broad peak are often equal, and one object is found twice,
with the same score: one such picture of 23 cost 0.04 of AP.
"""

from __future__ import annotations

from typing import Any

_RAISE = 0.01
"""By how much a logit is raised at most, for its surroundings and for its place: a step of bfloat16 from 1 to 2."""
_WINDOW = 3
"""Cells on a side of the square in which a peak is the highest cell; the OD API's default."""


def settle_ties(model: Any) -> None:
    """Make a CenterNet's postprocess find one object, not several, where neighbouring cells are equal.

    Args:
        model: the detection model of the OD API, which is changed.
    """
    from object_detection.meta_architectures import center_net_meta_arch as arch

    postprocess = model.postprocess

    def with_one_peak(prediction_dict: dict[str, Any], true_image_shapes: Any, **params: Any) -> Any:
        centres = {arch.OBJECT_CENTER: [settled(stage) for stage in prediction_dict[arch.OBJECT_CENTER]]}
        return postprocess({**prediction_dict, **centres}, true_image_shapes, **params)

    model.postprocess = with_one_peak


def settled(heatmap: Any) -> Any:
    """Raise peaks that share their height with a neighbour, that most which has the highest surroundings.

    Where surroundings are equal, too, the place decides. So one remains, unless scores are so near 1 that the sigmoid
    cannot tell logits apart.

    Args:
        heatmap: [N, h, w, C] float32, logits.

    Returns:
        The same shape. Such peaks are higher by at most 0.02; other cells, and peaks that are alone, are as they were.
    """
    import tensorflow as tf

    surroundings = tf.nn.avg_pool2d(heatmap, _WINDOW, strides=1, padding="SAME")
    heatmap += _RAISE * _tied(heatmap) * tf.exp(tf.minimum(surroundings - heatmap, 0.0))
    return heatmap + _RAISE * _tied(heatmap) * _place(heatmap)


def _tied(heatmap: Any) -> Any:
    """1 for peaks, as the OD API finds them, with another one beside them, else 0: [N, h, w, C] float32."""
    import tensorflow as tf
    from object_detection.meta_architectures.center_net_meta_arch import PEAK_EPSILON

    scores = tf.sigmoid(heatmap)
    highest = tf.nn.max_pool2d(scores, _WINDOW, strides=1, padding="SAME")
    is_peak = tf.cast(highest - scores < PEAK_EPSILON, tf.float32)
    padded = tf.pad(is_peak, [[0, 0], [1, 1], [1, 1], [0, 0]])
    peaks_around = tf.nn.avg_pool2d(padded, _WINDOW, strides=1, padding="VALID") * _WINDOW**2
    return is_peak * tf.cast(peaks_around > 1.5, tf.float32)


def _place(heatmap: Any) -> Any:
    """0 to 1, another number for each of any 3 x 3 cells: [1, h, w, 1] float32."""
    import tensorflow as tf

    rows, columns = (tf.range(cells) % _WINDOW for cells in tf.unstack(tf.shape(heatmap)[1:3]))
    numbers = rows[:, tf.newaxis] * _WINDOW + columns
    return tf.cast(numbers, tf.float32)[tf.newaxis, ..., tf.newaxis] / _WINDOW**2
