"""What the networks are built of."""

from __future__ import annotations

from typing import Any

from kpt_tools.lazy import require

Tensor = Any

_EXPANSION = 4
_FUSED_EXPANSION = 2


def keras() -> Any:
    """`tf_keras`, whatever Keras the environment prefers.

    Raises:
        MissingDependencyError: it is not installed.
    """
    return require("tf_keras", purpose="a heatmap model")


def conv_bn(x: Tensor, filters: int, *, kernel: int = 3, stride: int = 1, activate: bool = True) -> Tensor:
    """Convolution, batch normalisation, and ReLU if `activate`."""
    layers = keras().layers
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if activate else x


def residual(x: Tensor, filters: int) -> Tensor:
    """Two 3x3 convolutions beside a short cut."""
    layers = keras().layers
    short = x if int(x.shape[-1]) == filters else conv_bn(x, filters, kernel=1, activate=False)
    return layers.ReLU()(layers.Add()([short, conv_bn(conv_bn(x, filters), filters, activate=False)]))


def inverted_residual(x: Tensor, filters: int, *, stride: int, fused: bool) -> Tensor:
    """MobileNetV2's block: widen, filter, narrow; `fused` widens and filters in one 3x3 convolution.

    On CPUs the fused form is faster at high resolution, where depthwise convolutions wait for memory.
    """
    layers = keras().layers
    channels = int(x.shape[-1])
    if fused:
        inner = conv_bn(x, channels * _FUSED_EXPANSION, stride=stride)
    else:
        inner = conv_bn(x, channels * _EXPANSION, kernel=1)
        inner = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(inner)
        inner = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(inner))
    inner = conv_bn(inner, filters, kernel=1, activate=False)
    return layers.Add()([x, inner]) if stride == 1 and channels == filters else inner


def up_and_join(x: Tensor, skip: Tensor, filters: int) -> Tensor:
    """Double the size, and lay the features of the way down beside it."""
    layers = keras().layers
    x = layers.UpSampling2D(interpolation="bilinear")(conv_bn(x, filters, kernel=1))
    return layers.Concatenate()([x, skip])


def head_conv(x: Tensor, outputs: int) -> Tensor:
    """A 1x1 convolution to the heatmaps, near zero at first."""
    small = keras().initializers.RandomNormal(stddev=0.01)
    return keras().layers.Conv2D(outputs, 1, kernel_initializer=small)(x)
