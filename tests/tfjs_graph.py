"""Runs a TensorFlow.js graph node by node with TensorFlow's operations: the original that an import is held against."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kpt_tools.odapi.movenet_weights import read_weights

Attributes = dict[str, Any]


class TfjsGraph:
    """The graph of a ``.json`` with its ``.bin``; every node's value can be asked for."""

    def __init__(self, path: Path) -> None:
        topology = json.loads(path.read_text(encoding="utf-8"))["modelTopology"]
        self._nodes = {node["name"]: node for node in topology["node"]}
        self._weights = read_weights(path)

    def run(self, feed: dict[str, Any]) -> dict[str, Any]:
        """The values of all nodes by name; those with several outputs as lists."""
        values: dict[str, Any] = dict(feed)
        for name in self._nodes:
            self._value(name, values)
        return values

    def _value(self, reference: str, values: dict[str, Any]) -> Any:
        name, _, number = reference.lstrip("^").partition(":")
        if name not in values:
            node = self._nodes[name]
            if node["op"] == "Const":
                values[name] = self._weights[name]
            else:
                inputs = [self._value(one, values) for one in node.get("input", [])]
                values[name] = OPERATIONS[node["op"]](inputs, node["attr"])
        found = values[name]
        return found[int(number or 0)] if isinstance(found, list) else found


def _text(value: str) -> str:
    return base64.b64decode(value).decode()


def _ints(attributes: Attributes, name: str) -> list[int]:
    return [int(value) for value in attributes[name]["list"]["i"]]


def _finished(value: Any, bias: Any, attributes: Attributes) -> Any:
    """What a fused convolution does after it: add the bias, and perhaps an activation."""
    import tensorflow as tf

    steps = [_text(step) for step in attributes["fused_ops"]["list"]["s"]]
    assert steps[0] == "BiasAdd"
    value = value + bias
    for step in steps[1:]:
        value = {"Relu": tf.nn.relu, "Relu6": tf.nn.relu6}[step](value)
    return value


def _convolved(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    assert _ints(attributes, "dilations") == [1, 1, 1, 1]
    padding = _text(attributes["padding"]["s"])
    return _finished(tf.nn.conv2d(inputs[0], inputs[1], _ints(attributes, "strides"), padding), inputs[2], attributes)


def _depthwise(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    assert _ints(attributes, "dilations") == [1, 1, 1, 1]
    padding = _text(attributes["padding"]["s"])
    value = tf.nn.depthwise_conv2d(inputs[0], inputs[1], _ints(attributes, "strides"), padding)
    return _finished(value, inputs[2], attributes) if len(inputs) > 2 else value


def _resized(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeBilinear(
        images=inputs[0],
        size=inputs[1],
        align_corners=attributes["align_corners"]["b"],
        half_pixel_centers=attributes["half_pixel_centers"]["b"],
    )


def _cast(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.cast(inputs[0], {"DT_FLOAT": tf.float32, "DT_INT32": tf.int32}[attributes["DstT"]["type"]])


def _simple(function: str) -> Callable[[list[Any], Attributes], Any]:
    """An operation of `tf` whose inputs are its first arguments."""

    def run(inputs: list[Any], attributes: Attributes) -> Any:
        import tensorflow as tf

        place: Any = tf
        for part in function.split("."):
            place = getattr(place, part)
        return place(*inputs)

    return run


def _argmax(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.argmax(inputs[0], int(inputs[1]), output_type=tf.int32)


def _unpacked(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.unstack(inputs[0], num=int(attributes["num"]["i"]), axis=int(attributes["axis"]["i"]))


def _packed(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.stack(inputs, axis=int(attributes["axis"]["i"]))


def _joined(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.concat(inputs[:-1], int(inputs[-1]))


def _squeezed(inputs: list[Any], attributes: Attributes) -> Any:
    import tensorflow as tf

    return tf.squeeze(inputs[0], _ints(attributes, "squeeze_dims"))


OPERATIONS: dict[str, Callable[[list[Any], Attributes], Any]] = {
    "_FusedConv2D": _convolved,
    "FusedDepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNative": _depthwise,
    "ResizeBilinear": _resized,
    "Cast": _cast,
    "ArgMax": _argmax,
    "Unpack": _unpacked,
    "Pack": _packed,
    "ConcatV2": _joined,
    "Squeeze": _squeezed,
    "AddV2": _simple("add"),
    "Sub": _simple("subtract"),
    "Mul": _simple("multiply"),
    "RealDiv": _simple("divide"),
    "FloorDiv": _simple("math.floordiv"),
    "Sqrt": _simple("sqrt"),
    "Sigmoid": _simple("sigmoid"),
    "SquaredDifference": _simple("math.squared_difference"),
    "ExpandDims": _simple("expand_dims"),
    "Reshape": _simple("reshape"),
    "GatherNd": _simple("gather_nd"),
    "Identity": _simple("identity"),
}
