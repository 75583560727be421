from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from kpt_tools.odapi.programs.reduce_onnx import outer_convolutions


def convolution(source: str, target: str) -> Any:
    return helper.make_node("Conv", [source, "weights"], [target], name=f"make_{target}")


def graph(*nodes: Any) -> Any:
    """Nodes in topological order, from "image" to "out"; all convolutions share their weights."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 2, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 2, 8, 8])],
        [onnx.numpy_helper.from_array(np.zeros((2, 2, 1, 1), np.float32), "weights")],
    )
    onnx.checker.check_model(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    return made


def test_the_convolutions_at_both_ends() -> None:
    """Two branches from the pixels, a common part, two heads; one head is used twice."""
    found = outer_convolutions(
        graph(
            helper.make_node("Neg", ["image"], ["negative"]),
            convolution("image", "left"),
            convolution("negative", "right"),
            helper.make_node("Add", ["left", "right"], ["both"]),
            convolution("both", "body"),
            convolution("body", "hidden"),
            convolution("hidden", "sizes"),
            helper.make_node("Relu", ["body"], ["positive"]),
            convolution("positive", "scores"),
            helper.make_node("Sigmoid", ["scores"], ["certain"]),
            helper.make_node("Add", ["sizes", "certain"], ["sum"]),
            helper.make_node("Mul", ["sum", "sizes"], ["out"]),
        )
    )
    assert sorted(found) == ["make_left", "make_right", "make_scores", "make_sizes"]


def test_a_single_convolution_is_named_once() -> None:
    assert outer_convolutions(graph(convolution("image", "out"))) == ["make_out"]


def test_no_convolution() -> None:
    assert outer_convolutions(graph(helper.make_node("Neg", ["image"], ["out"]))) == []
