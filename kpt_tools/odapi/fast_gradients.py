"""Gradients that take less time on a CPU, and are the same but for rounding.

The last layer of each CenterNet head is a convolution of 1 x 1 to a few channels. oneDNN's gradients of such are
several times slower than the products of matrices that they are.

In bfloat16, oneDNN's gradient of a depthwise convolution with stride 2 by its input takes ten times as long as that of
one with stride 1, which it is, of values spread apart by zeros.
"""

from __future__ import annotations

import functools
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


def install_depthwise(model: Any) -> bool:
    """Give depthwise layers with stride 2 gradients that are fast in bfloat16; call it before the model is traced.

    Returns:
        Whether all of the model's depthwise layers have fast gradients now.
    """
    import tensorflow as tf

    layers = [module for module in model.submodules if isinstance(module, tf.keras.layers.DepthwiseConv2D)]
    strided = [layer for layer in layers if layer.strides != (1, 1)]
    fitting = [layer for layer in strided if type(layer) is tf.keras.layers.DepthwiseConv2D and _is_halving(layer)]
    for layer in fitting:
        layer.call = functools.partial(_call_halving, layer)
    return len(fitting) == len(strided)


def _is_narrow_pointwise(layer: Any) -> bool:
    return bool(
        layer.kernel_size == (1, 1)
        and layer.strides == (1, 1)
        and layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.filters <= MOST_FILTERS
    )


def _is_halving(layer: Any) -> bool:
    import tensorflow as tf

    size, other = layer.kernel_size
    return bool(
        size == other
        and size % 2 == 1
        and size > 1
        and layer.strides == (2, 2)
        and layer.dilation_rate == (1, 1)
        and layer.padding == "same"
        and layer.data_format == "channels_last"
        and not layer.use_bias
        and layer.activation in (None, tf.keras.activations.linear)
    )


def _call_halving(layer: Any, inputs: Any) -> Any:
    return halving_depthwise_convolution(inputs, layer.depthwise_kernel)


def halving_depthwise_convolution(inputs: Any, kernel: Any) -> Any:
    """A depthwise convolution with stride 2, whose gradient by its input is that of one with stride 1.

    For the kernel's row u, output i lies at input 2 i + s - K // 2 + u, where s is 1 for an even size and 0 for an odd
    one: of the padding that "same" adds, K - 2 and K - 1, the smaller half is before it. With stride 1 it would lie at
    i - K // 2 + u; so the gradient of output i belongs at 2 i + s.

    Args:
        inputs: [N, H, W, C] float.
        kernel: [K, K, C, M], K odd and more than 1; a tensor or variable.

    Returns:
        [N, ceil(H / 2), ceil(W / 2), C * M].
    """
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def convolution(x: Any, weights: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            of_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x),
                filter=weights,
                out_backprop=_spread(upstream, *_hw(x)),
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            of_weights = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=x,
                filter_sizes=tf.shape(weights),
                out_backprop=upstream,
                strides=[1, 2, 2, 1],
                padding="SAME",
            )
            return of_inputs, of_weights

        return tf.nn.depthwise_conv2d(x, weights, [1, 2, 2, 1], "SAME"), gradients

    return convolution(inputs, tf.convert_to_tensor(kernel))


def _hw(images: Any) -> tuple[Any, Any]:
    """Height and width of [N, H, W, C]: numbers where they are known, else tensors."""
    import tensorflow as tf

    return tuple(images.shape[axis] or tf.shape(images)[axis] for axis in (1, 2))


def _spread(values: Any, height: Any, width: Any) -> Any:
    """[N, ceil(H / 2), ceil(W / 2), C] to [N, H, W, C]: the values at odd places of even sizes, at even ones of odd."""
    import tensorflow as tf

    rows, columns = _hw(values)
    below, right = height % 2, width % 2
    apart = tf.reshape(values, [-1, rows, 1, columns, 1, values.shape[3]])
    apart = tf.pad(apart, [[0, 0], [0, 0], [1 - below, below], [0, 0], [1 - right, right], [0, 0]])
    return tf.reshape(apart, [-1, 2 * rows, 2 * columns, values.shape[3]])[:, :height, :width]


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
