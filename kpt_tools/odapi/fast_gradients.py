"""Gradients that take less time on a CPU, and are the same but for rounding.

The last layer of each CenterNet head is a convolution of 1 x 1 to a few channels. oneDNN's gradients of such are
several times slower than the products of matrices that they are.
"""

from __future__ import annotations

from typing import Any

MOST_FILTERS = 16
"""With more channels the convolution's own gradients are as fast."""


def install(model: Any) -> int:
    """Give the fitting layers of a built or unbuilt model their gradients; call it before the model is traced.

    Returns:
        The number of layers.
    """
    import tensorflow as tf

    layers = [
        module for module in model.submodules if type(module) is tf.keras.layers.Conv2D and _is_narrow_pointwise(module)
    ]
    for layer in layers:
        layer.convolution_op = pointwise_convolution
    return len(layers)


def _is_narrow_pointwise(layer: Any) -> bool:
    return bool(
        layer.kernel_size == (1, 1)
        and layer.strides == (1, 1)
        and layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.filters <= MOST_FILTERS
    )


def pointwise_convolution(inputs: Any, kernel: Any) -> Any:
    """A 1 x 1 convolution whose gradients are products of matrices.

    Args:
        inputs: [N, H, W, C] float.
        kernel: [1, 1, C, K], a tensor or variable.

    Returns:
        [N, H, W, K].
    """
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def convolution(x: Any, weights: Any) -> Any:
        channels, filters = weights.shape[2], weights.shape[3]

        def gradients(upstream: Any) -> tuple[Any, Any]:
            rows = tf.reshape(upstream, [-1, filters])
            of_inputs = tf.matmul(rows, weights[0, 0], transpose_b=True)
            of_weights = tf.matmul(tf.reshape(x, [-1, channels]), rows, transpose_a=True)
            return tf.reshape(of_inputs, tf.shape(x)), of_weights[tf.newaxis, tf.newaxis]

        return tf.nn.conv2d(x, weights, strides=1, padding="VALID"), gradients

    return convolution(inputs, tf.convert_to_tensor(kernel))
