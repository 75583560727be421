"""The OD API's model with MoveNet's weights in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kpt_tools.errors import EngineError
from kpt_tools.odapi.movenet_map import (
    BACKBONE,
    CONVOLUTION,
    HEADS,
    NORM,
    PYRAMID,
    SEPARABLE,
    Target,
    backbone_layers,
    norm_of,
)
from kpt_tools.odapi.transfer_names import HEATMAP, OBJECT_CENTER, OFFSET, REGRESSION

_HEAD_KINDS = dict(zip(HEADS, (OBJECT_CENTER, HEATMAP, REGRESSION, OFFSET), strict=True))
_PYRAMID_KINDS = (CONVOLUTION, SEPARABLE, NORM)


def new_values(model: Any, targets: Mapping[str, Target], arrays: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Every variable of a built CenterNet with its new value; nothing is assigned yet.

    Args:
        model: the CenterNet, with one keypoint task and without heads for boxes.
        targets: where each array goes.
        arrays: by name.

    Raises:
        EngineError: a variable has no array, an array no variable, or another shape.
    """
    layers = dict(_layers(model))
    values: dict[int, tuple[Any, Any]] = {}
    for name, target in targets.items():
        layer = layers.get((target.part, target.layer))
        if layer is None:
            raise EngineError(f"{target.part}: the model has no layer '{target.layer}' for '{name}'.")
        for variable, value in _of_layer(layer, target, arrays[name]):
            if tuple(variable.shape) != value.shape:
                raise EngineError(
                    f"'{name}' has shape {value.shape}, the model's {target.layer} {tuple(variable.shape)}. "
                    "It is another MoveNet than SinglePose Lightning."
                )
            values[id(variable)] = (variable, value)
    lonely = [variable.name for variable in model.variables if id(variable) not in values]
    if lonely:
        raise EngineError(f"{len(lonely)} variables of the model get no value, first '{lonely[0]}'.")
    return list(values.values())


def _of_layer(layer: Any, target: Target, array: Any) -> Iterator[tuple[Any, Any]]:
    """The variables that an array gives values to; the bias of a folded separable convolution is in its offset."""
    import numpy as np

    if target.variable != "beta":
        yield getattr(layer, target.variable), array
        if target.variable == "pointwise_kernel" and target.part == PYRAMID:
            yield layer.bias, np.zeros(layer.bias.shape, np.float32)
        return
    ones = np.ones_like(array)
    yield layer.beta, array
    yield layer.gamma, ones * np.sqrt(np.float32(1.0 + layer.epsilon))
    yield layer.moving_mean, np.zeros_like(array)
    yield layer.moving_variance, ones


def _layers(model: Any) -> Iterator[tuple[tuple[str, str], Any]]:
    extractor = model._feature_extractor
    names = {name for layer in backbone_layers() for name in (layer, norm_of(layer))}
    for layer in extractor._base_model.layers:
        if layer.name in names:
            yield (BACKBONE, layer.name), layer
    pyramid = [layer for layer in extractor._feature_extractor_model.layers if layer.name not in names]
    yield from _counted(PYRAMID, pyramid)
    for head, nets in model.prediction_head_dict.items():
        for part, kind in _HEAD_KINDS.items():
            if head == kind or head.endswith(f"/{kind}"):
                yield from _counted(part, nets[0].layers)


def _counted(part: str, layers: Sequence[Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Layers by kind and by their order of making, which Keras writes behind their names."""
    for kind in _PYRAMID_KINDS:
        own = [layer for layer in layers if layer.name.rstrip("0123456789").rstrip("_") == kind]
        for number, layer in enumerate(sorted(own, key=lambda layer: _number_of(layer.name))):
            yield (part, f"{kind} {number}"), layer


def _number_of(name: str) -> int:
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0
