"""Which array of MoveNet goes into which variable of the OD API's CenterNet. Pure tables, no TensorFlow.

MoveNet SinglePose Lightning is a CenterNet of the OD API: MobileNetV2, a feature pyramid of 64, 32 and 24 channels with
separable convolutions and bilinear upsampling, and four heads of 96 filters. As published, each batch normalisation is
folded into the convolution before it: ``y = conv(x, weights) + bn_offset``. With gamma = sqrt(1 + epsilon), beta =
bn_offset, mean = 0 and variance = 1, a batch normalisation after that convolution computes the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kpt_tools.errors import DataError

_TOP = "StatefulPartitionedCall/"
_EXTRACTOR = f"{_TOP}center_net_mobile_net_v2fpn_feature_extractor/model_1/"
_BACKBONE = f"{_EXTRACTOR}model/"

BACKBONE, PYRAMID = "backbone", "feature pyramid"
HEADS = {
    "object centre": "center_0",
    "keypoint heat map": "kpt_heatmap_0",
    "keypoint regression": "kpt_regress_0",
    "keypoint offset": "kpt_offset_0",
}
"""Part of the model, and the name of its head in MoveNet; the OD API numbers the layers of all heads in this order."""

CONVOLUTION, SEPARABLE, NORM = "conv2d", "separable_conv2d", "batch_normalization"

_PYRAMID_CONVOLUTIONS, _PYRAMID_SEPARABLE = 4, 3

# Image scaling before the network, and the search for the best point of each kind behind it.
_CONSTANT = re.compile(
    r"(StatefulPartitionedCall|ConstantFolding/StatefulPartitionedCall)/"
    r"((ArgMax|ExpandDims|Reshape|add|concat|floordiv|mul|stack|strided_slice|sub|truediv)(_\d+)?"
    r"(/(axis|dim|dimension|shape|y))?"
    r"|stack_const_axis|truediv_\d+_recip|ResizeImage/resize/ExpandDims/dim"
    r"|center_net_mobile_net_v2fpn_feature_extractor/model_1/up_sampling2d(_\d+)?/mul)"
)

# Values that the OD API's own scaling of images, and the config that is written for it, rely on.
SCORE_DISTANCE_OFFSET = 1.8
_VALUES = {
    f"{_TOP}Reshape": (0.0, "mean that is subtracted from the pixels"),
    f"{_TOP}truediv": (1 / 127.5, "factor of the pixels"),
    f"{_TOP}sub_1/y": (1.0, "what is subtracted after that"),
    f"{_TOP}add_5/y": (SCORE_DISTANCE_OFFSET, "offset of the distance that scores are divided by"),
}
_TOLERANCE = 1e-3
"""Relative; the values are stored with 16 bits."""


@dataclass(frozen=True)
class Target:
    """Where an array goes.

    Attributes:
        part: backbone, feature pyramid or one of `HEADS`.
        layer: in the backbone the layer's name; elsewhere its kind and number within the part: "separable_conv2d 1".
        variable: of the layer; "beta" stands for all four variables of a batch normalisation.
    """

    part: str
    layer: str
    variable: str


@dataclass(frozen=True)
class WeightsPlan:
    """What becomes of the arrays of a file.

    Attributes:
        targets: where each array goes, by its name.
        constants: arrays of image scaling and decoding, for which the OD API has its own code.
    """

    targets: dict[str, Target]
    constants: tuple[str, ...]


def plan_weights(names: Iterable[str], where: str) -> WeightsPlan:
    """Find a place for every array.

    Args:
        names: of all arrays.
        where: the file, for messages.

    Raises:
        DataError: an array of MoveNet Lightning is missing, or there is one that no place is known for.
    """
    given = set(names)
    targets = dict(expected())
    missing = [name for name in targets if name not in given]
    if missing:
        raise DataError(
            f"{where}: {len(missing)} of {len(targets)} arrays are missing, first '{missing[0]}'; expected the weights "
            "of MoveNet SinglePose Lightning, version 4."
        )
    others = sorted(given - set(targets))
    unknown = [name for name in others if not _CONSTANT.fullmatch(name)]
    if unknown:
        raise DataError(
            f"{where}: {len(unknown)} arrays have no place in the model, first '{unknown[0]}'; expected the weights of "
            "MoveNet SinglePose Lightning, version 4, and nothing else."
        )
    return WeightsPlan(targets, tuple(others))


def check_values(arrays: Mapping[str, Any], where: str) -> None:
    """Refuse a MoveNet that scales its images or decodes in another way.

    Raises:
        DataError: it does.
    """
    for name, (expected_value, meaning) in _VALUES.items():
        found = [float(value) for value in arrays[name].ravel()] if name in arrays else []
        if not found or any(abs(value - expected_value) > _TOLERANCE * max(1.0, expected_value) for value in found):
            raise DataError(
                f"{where}: '{name}' is {found or 'missing'}, expected {expected_value:g} ({meaning}). It is another "
                "MoveNet than SinglePose Lightning, version 4."
            )


def expected() -> Iterator[tuple[str, Target]]:
    """The name of every array of the network, and where it goes."""
    for layer in backbone_layers():
        kind = "depthwise" if layer.endswith("_depthwise") else "Conv2D"
        kernel = "depthwise_kernel" if kind == "depthwise" else "kernel"
        yield f"{_BACKBONE}{layer}/{kind}_weights", Target(BACKBONE, layer, kernel)
        yield f"{_BACKBONE}{layer}/{kind}_bn_offset", Target(BACKBONE, norm_of(layer), "beta")
    for number in range(_PYRAMID_CONVOLUTIONS):
        yield from _convolution(f"{_EXTRACTOR}{_numbered(CONVOLUTION, number)}", PYRAMID, number)
    for number in range(_PYRAMID_SEPARABLE):
        source = f"{_EXTRACTOR}{_numbered(SEPARABLE, number)}/separable_conv2d"
        layer = f"{SEPARABLE} {number}"
        yield f"{source}/ReadVariableOp", Target(PYRAMID, layer, "depthwise_kernel")
        yield f"{source}_weights", Target(PYRAMID, layer, "pointwise_kernel")
        yield f"{source}_bn_offset", Target(PYRAMID, f"{NORM} {number}", "beta")
    for number, (part, head) in enumerate(HEADS.items()):
        source = f"{_TOP}{head}/{_numbered(SEPARABLE, _PYRAMID_SEPARABLE + number)}"
        yield f"{source}/separable_conv2d/ReadVariableOp", Target(part, f"{SEPARABLE} 0", "depthwise_kernel")
        yield f"{source}/separable_conv2d/ReadVariableOp_1", Target(part, f"{SEPARABLE} 0", "pointwise_kernel")
        yield f"{source}/BiasAdd/ReadVariableOp", Target(part, f"{SEPARABLE} 0", "bias")
        output = f"{_TOP}{head}/{_numbered(CONVOLUTION, _PYRAMID_CONVOLUTIONS + number)}"
        yield from _convolution(output, part, 0)


def backbone_layers() -> tuple[str, ...]:
    """The convolutions of MobileNetV2 in Keras' names."""
    blocks = [f"block_{number}_{step}" for number in range(1, 17) for step in ("expand", "depthwise", "project")]
    return ("Conv1", "expanded_conv_depthwise", "expanded_conv_project", *blocks, "Conv_1")


def norm_of(layer: str) -> str:
    """Keras' name of the batch normalisation behind a convolution of MobileNetV2."""
    return {"Conv1": "bn_Conv1", "Conv_1": "Conv_1_bn"}.get(layer, f"{layer}_BN")


def _convolution(source: str, part: str, number: int) -> Iterator[tuple[str, Target]]:
    yield f"{source}/Conv2D/ReadVariableOp", Target(part, f"{CONVOLUTION} {number}", "kernel")
    yield f"{source}/BiasAdd/ReadVariableOp", Target(part, f"{CONVOLUTION} {number}", "bias")


def _numbered(name: str, number: int) -> str:
    """The name that Keras gives to the layer of that number."""
    return f"{name}_{number}" if number else name
