"""Convert a graph of fixed size to ONNX in float32, with tf2onnx.

tf2onnx copies a graph with all its weights many times over: Hourglass-104 (780 MB) took more than 16 GB. So it gets the
graph with placeholders where the kernels are, and the kernels are put in afterwards; 9.7 GB is left, which TensorFlow
takes to freeze the graph. What tf2onnx could not fold without the values (transposed kernels, batch normalisation),
ONNX Runtime folds, with its basic optimisations: they use standard operators only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kpt_tools.config.network_input import INPUT_NAME
from kpt_tools.odapi import events
from kpt_tools.odapi.memory import tell_peak_memory

OPSET = 17
SMALLEST_KERNEL = 4096
"""Kernels with fewer values stay in the graph."""


def main() -> None:
    """Do what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, required=True, help="SavedModel of fixed size")
    parser.add_argument("--out", type=Path, required=True, help="file to make")
    flags = parser.parse_args()
    events.emit("phase", name="importing TensorFlow")
    import onnx

    events.emit("phase", name="converting to ONNX")
    graph, names = _frozen(flags.graph)
    kernels = _take_kernels(graph)
    model = _converted(graph, names, list(kernels))
    del graph
    _put_kernels(model, kernels)
    _modernise(model)
    raw = flags.out.with_suffix(".raw.onnx")
    onnx.save(model, str(raw))
    del model, kernels
    _fold(raw, flags.out)
    raw.unlink()
    tell_peak_memory()


def _frozen(folder: Path) -> tuple[Any, dict[str, str]]:
    """The graph with constants for variables, and the name in it of the input and of each output."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(folder))  # a name of its own: the function does not keep the variables
    function = loaded.signatures["serving_default"]
    frozen = convert_variables_to_constants_v2(function)
    names = {INPUT_NAME: next(tensor.name for tensor in frozen.inputs if tensor.dtype != tf.resource)}
    names.update(zip(sorted(function.structured_outputs), (tensor.name for tensor in frozen.outputs), strict=True))
    return frozen.graph.as_graph_def(), names


def _take_kernels(graph: Any) -> dict[str, Any]:
    """Replace the kernels of convolutions in a GraphDef by placeholders; their values by the name of the node."""
    import numpy as np
    import tensorflow as tf

    kernels = {}
    for node in graph.node:
        tensor = node.attr["value"].tensor if node.op == "Const" else None
        if tensor is None or tensor.dtype != tf.float32.as_datatype_enum or len(tensor.tensor_shape.dim) != 4:
            continue
        shape = [side.size for side in tensor.tensor_shape.dim]
        if np.prod(shape) >= SMALLEST_KERNEL:
            kernels[node.name] = tf.make_ndarray(tensor)
            node.op = "Placeholder"
            del node.attr["value"]
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return kernels


def _converted(graph: Any, names: dict[str, str], kernels: list[str]) -> Any:
    """The ONNX model of a GraphDef; its inputs are the picture and the kernels."""
    from tf2onnx import convert

    model, _ = convert.from_graph_def(
        graph,
        name="CenterNet",
        input_names=[names[INPUT_NAME], *(f"{kernel}:0" for kernel in kernels)],
        output_names=[tensor for name, tensor in names.items() if name != INPUT_NAME],
        opset=OPSET,
        tensors_to_rename={tensor: name for name, tensor in names.items()},
    )
    return model


def _put_kernels(model: Any, kernels: dict[str, Any]) -> None:
    """Make initialisers of the inputs that stand for kernels."""
    import onnx

    for value in list(model.graph.input):
        if value.name != INPUT_NAME:
            array = kernels.pop(value.name.removesuffix(":0"))
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
    if kernels:
        raise ValueError(f"tf2onnx lost {len(kernels)} kernels, the first of them {next(iter(kernels))}")


def _modernise(model: Any) -> None:
    """Rewrite what newer operator sets no longer have.

    tf2onnx writes nearest-neighbour upsampling as "tf_half_pixel_for_nn", which opset 13 dropped: ONNX Runtime warns of
    it, other programs refuse it. For whole factors k, floor((i + 0.5) / k) = floor(i / k): "asymmetric" is the same.
    """
    for node in model.graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        mode = attributes.get("coordinate_transformation_mode")
        if node.op_type == "Resize" and mode is not None and mode.s == b"tf_half_pixel_for_nn":
            found = attributes["mode"].s, attributes["nearest_mode"].s
            if found != (b"nearest", b"floor"):
                raise ValueError(f"{node.name}: resizing with {found}; expected nearest and floor")
            mode.s = b"asymmetric"


def _fold(source: Path, out: Path) -> None:
    """Fold constants and batch normalisation, and check the model."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    model = onnx.load(str(out))
    used = {node.domain for node in model.graph.node}
    for domain in [row for row in model.opset_import if row.domain not in used]:
        model.opset_import.remove(domain)  # ONNX Runtime lists all that it knows
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


if __name__ == "__main__":
    main()
