"""The networks, behind one registry. Keras is the OD API's (`tf_keras`), so both roads can share one process.

Each builder takes pictures [N, S, S, 3] with values from 0 to 1 and gives a dictionary: "heatmaps" [N, h, w, K] (and
"heatmaps_1", ... of earlier stages), "simcc" [N, K, 2, bins] or "points" [N, K, 2]. Heatmaps of the target
"softargmax", and "simcc", are logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.blocks import (
    conv_bn,
    head_conv,
    inverted_residual,
    keras,
    residual,
    up_and_join,
)
from kpt_tools.heatmap.spec import SIMCC_BINS_PER_PX, HeatmapSpec

Tensor = Any
Outputs = dict[str, Tensor]
Builder = Callable[[Tensor, HeatmapSpec], Outputs]

MAPS = ("gaussian", "circle", "softargmax")
SIGMA_OF_TARGET = {"gaussian": 1.5, "circle": 1.0, "softargmax": 1.0, "simcc": 4.0, "points": 1.0}
_DOCUMENT_KERNEL = 16


@dataclass(frozen=True)
class Network:
    """A row of the registry.

    Attributes:
        build: makes the outputs from the input.
        stride: pixels of the input per cell of its heatmaps.
        targets: what it can answer.
        multiple_of: the side of the input must be a multiple of this.
    """

    build: Builder
    stride: int
    targets: tuple[str, ...]
    multiple_of: int


def fcn(pixels: Tensor, spec: HeatmapSpec) -> Outputs:
    """The document's fully convolutional network: 5,530,880 parameters with three keypoints.

    64-64-pool-128-128 (3x3), 160 (16x16), 160 (1x1), then a transposed 2x2 convolution without bias; ReLU and same
    padding everywhere, none on the output. 95 % of the parameters are in the 16x16 kernels.
    """
    layers = keras().layers
    x = pixels
    for filters, kernel in ((64, 3), (64, 3), (0, 0), (128, 3), (128, 3), (160, _DOCUMENT_KERNEL), (160, 1)):
        if filters:
            x = layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)
        else:
            x = layers.MaxPooling2D()(x)
    return {"heatmaps": layers.Conv2DTranspose(spec.num_keypoints, 2, strides=2, use_bias=False)(x)}


def unet(pixels: Tensor, spec: HeatmapSpec) -> Outputs:
    """A U-Net (Ronneberger et al., 2015) with batch normalisation, from half the input's size down to 1/32."""
    x = conv_bn(pixels, 16, stride=2)
    skips = []
    for filters in (24, 48, 96, 128):
        x = conv_bn(conv_bn(x, filters), filters)
        skips.append(x)
        x = keras().layers.MaxPooling2D()(x)
    x = conv_bn(conv_bn(x, 160), 160)
    for skip, filters in zip(reversed(skips), (128, 96, 48, 24), strict=True):
        x = conv_bn(up_and_join(x, skip, filters), filters)
    return {"heatmaps": head_conv(x, spec.num_keypoints)}


def hourglass(pixels: Tensor, spec: HeatmapSpec) -> Outputs:
    """Two stacked hourglasses (Newell et al., 2016) of 64 channels; the first one is trained, too."""
    layers = keras().layers
    x = residual(conv_bn(conv_bn(pixels, 32, stride=2), 64, stride=2), 64)
    outputs: Outputs = {}
    for name in ("heatmaps_1", "heatmaps"):
        features = conv_bn(_hourglass(x, 64, depth=4), 64)
        outputs[name] = head_conv(features, spec.num_keypoints)
        if name != "heatmaps":
            back = layers.Conv2D(64, 1)(outputs[name])
            x = layers.Add()([x, layers.Conv2D(64, 1)(features), back])
    return outputs


def mobile(pixels: Tensor, spec: HeatmapSpec) -> Outputs:
    """A small network of inverted residuals (MobileNetV2; fused in the early stages as in EfficientNetV2).

    From 1/32 it climbs back to 1/4 with the features of the way down beside it.
    """
    skips, x = _mobile_stages(pixels)
    for skip, filters in zip(reversed(skips), (96, 64, 48), strict=True):
        x = conv_bn(up_and_join(x, skip, filters), filters)
    if spec.target == "simcc":
        return {"simcc": _simcc_head(x, spec)}
    return {"heatmaps": head_conv(x, spec.num_keypoints)}


def direct(pixels: Tensor, spec: HeatmapSpec) -> Outputs:
    """Coordinates at once: the way down of `mobile`, then dense layers."""
    layers = keras().layers
    _, x = _mobile_stages(pixels)
    x = layers.Flatten()(conv_bn(x, 64, kernel=1))
    x = layers.Dropout(0.2)(layers.Dense(256, activation="relu")(x))
    x = layers.Dense(2 * spec.num_keypoints, bias_initializer=keras().initializers.Constant(0.5))(x)
    return {"points": layers.Reshape((spec.num_keypoints, 2))(x)}


NETWORKS: Mapping[str, Network] = {
    "fcn": Network(fcn, 1, MAPS, 2),
    "unet": Network(unet, 2, MAPS, 32),
    "hourglass": Network(hourglass, 4, MAPS, 64),
    "mobile": Network(mobile, 4, (*MAPS, "simcc"), 32),
    "direct": Network(direct, 32, ("points",), 32),
}


def output_px(model: str, target: str, size: int) -> int:
    """Side of the heatmaps of a network, or bins per axis, or 0 for coordinates.

    Raises:
        ConfigError: the network cannot answer that, or not from an input of this size.
    """
    network = NETWORKS[model]
    if target not in network.targets:
        raise ConfigError(f"--target {target}: network '{model}' cannot; it can {', '.join(network.targets)}.")
    if size % network.multiple_of:
        raise ConfigError(f"--size {size}: network '{model}' needs a multiple of {network.multiple_of}.")
    if target == "simcc":
        return size * SIMCC_BINS_PER_PX
    return 0 if target == "points" else size // network.stride


def build(spec: HeatmapSpec) -> Any:
    """The network as a Keras model with fresh weights.

    Raises:
        ConfigError: the spec is not one that the network can be.
        MissingDependencyError: tf_keras is not installed.
    """
    if output_px(spec.model, spec.target, spec.input_px) != spec.output_px:
        raise ConfigError(f"{spec.model}: output_px {spec.output_px} does not fit an input of {spec.input_px} px.")
    pixels = keras().Input((spec.input_px, spec.input_px, 3), name="pixels")
    return keras().Model(pixels, NETWORKS[spec.model].build(pixels, spec), name=spec.model)


def _mobile_stages(pixels: Tensor) -> tuple[list[Tensor], Tensor]:
    """Features at 1/4, 1/8 and 1/16, and at 1/32."""
    x = conv_bn(pixels, 16, stride=2)
    stages: Sequence[tuple[int, int, bool]] = ((24, 2, True), (40, 2, True), (80, 3, False), (128, 2, False))
    features = []
    for filters, repeats, fused in stages:
        for number in range(repeats):
            x = inverted_residual(x, filters, stride=1 if number else 2, fused=fused)
        features.append(x)
    return features[:-1], features[-1]


def _simcc_head(features: Tensor, spec: HeatmapSpec) -> Tensor:
    """A dense layer over each keypoint's map for each axis (SimCC)."""
    layers = keras().layers
    side = int(features.shape[1])
    x = layers.Permute((3, 1, 2))(conv_bn(features, spec.num_keypoints, kernel=1))
    flat = layers.Reshape((spec.num_keypoints, side * side))(x)
    axes = [layers.Dense(spec.output_px)(flat) for _ in range(2)]
    stacked = [layers.Reshape((spec.num_keypoints, 1, spec.output_px))(axis) for axis in axes]
    return layers.Concatenate(axis=2)(stacked)


def _hourglass(x: Tensor, filters: int, depth: int) -> Tensor:
    layers = keras().layers
    skip = residual(x, filters)
    x = residual(layers.MaxPooling2D()(x), filters)
    x = _hourglass(x, filters, depth - 1) if depth > 1 else residual(x, filters)
    x = layers.UpSampling2D(interpolation="bilinear")(residual(x, filters))
    return layers.Add()([skip, x])
