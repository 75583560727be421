"""A head of a CenterNet computed in some cells of its map instead of everywhere."""

from __future__ import annotations

from typing import Any


def is_simple(head: Any) -> bool:
    """Whether `values` knows to compute a head: a convolution, plain or separable, ReLU, and one of 1 x 1.

    That is what the OD API makes of head parameters with one kernel size.
    """
    import tensorflow as tf

    keras: Any = tf.keras.layers
    layers: Any = getattr(head, "layers", ())
    if [type(layer) for layer in layers[1:]] != [keras.ReLU, keras.Conv2D]:
        return False
    first, relu, last = layers
    return bool(
        type(first) in (keras.Conv2D, keras.SeparableConv2D)
        and getattr(first, "depth_multiplier", 1) == 1
        and last.kernel_size == (1, 1)
        and all(side % 2 for side in first.kernel_size)
        and first.padding == "same"
        and all(_is_plain(layer) for layer in (first, last))
        and relu.get_config() == keras.ReLU(name=relu.name).get_config()
    )


def _is_plain(convolution: Any) -> bool:
    import tensorflow as tf

    return bool(
        convolution.strides == convolution.dilation_rate == (1, 1)
        and convolution.groups == 1
        and convolution.use_bias
        and convolution.data_format == "channels_last"
        and convolution.activation is tf.keras.activations.linear
    )


def values(head: Any, features: Any, numbers: Any) -> Any:
    """What a head says in some cells; the same as in its map but for rounding.

    Args:
        head: built, and see `is_simple`.
        features: [B, H, W, C] float, H and W known.
        numbers: [N] int32, cells numbered through the batch, row by row.

    Returns:
        [N, K] float.
    """
    import tensorflow as tf

    first, _, last = head.layers
    patches = _patches(features, numbers, first.kernel_size)
    hidden = tf.nn.relu(_convolved(first, patches) + first.bias)
    return tf.matmul(hidden, tf.reshape(last.kernel, [-1, last.filters])) + last.bias


def _convolved(layer: Any, patches: Any) -> Any:
    """[N, F] of [N, rows * columns, C]: a convolution without its bias."""
    import tensorflow as tf

    channels = patches.shape[-1]
    if not isinstance(layer, tf.keras.layers.SeparableConv2D):
        flat = tf.reshape(patches, [-1, patches.shape[1] * channels])
        return tf.matmul(flat, tf.reshape(layer.kernel, [-1, layer.filters]))
    depthwise = tf.reshape(layer.depthwise_kernel, [-1, channels])
    pointwise = tf.reshape(layer.pointwise_kernel, [-1, layer.filters])
    return tf.matmul(tf.reduce_sum(patches * depthwise, axis=1), pointwise)


def _patches(features: Any, numbers: Any, size: tuple[int, int]) -> Any:
    """[N, rows * columns, C]: the features around cells, zero outside the map."""
    import tensorflow as tf

    _, height, width, channels = features.shape
    down, right = size[0] // 2, size[1] // 2
    padded = tf.pad(features, [[0, 0], [down, down], [right, right], [0, 0]])
    padded_width, padded_height = width + 2 * right, height + 2 * down
    picture, cell = numbers // (height * width), numbers % (height * width)
    corners = (picture * padded_height + cell // width) * padded_width + cell % width
    inside = tf.range(size[0])[:, tf.newaxis] * padded_width + tf.range(size[1])
    places = corners[:, tf.newaxis] + tf.reshape(inside, [1, -1])
    return tf.gather(tf.reshape(padded, [-1, channels]), places)
