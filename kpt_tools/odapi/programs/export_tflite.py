"""Convert a graph of fixed size to TFLite, with built-in operations only."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kpt_tools.odapi import events
from kpt_tools.odapi.memory import tell_peak_memory

Inputs = Callable[[], Iterator[list[Any]]]


def main() -> None:
    """Do what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, required=True, help="SavedModel of fixed size")
    parser.add_argument("--out", type=Path, required=True, help="file to make")
    parser.add_argument("--precision", choices=("float32", "float16", "int8"), required=True)
    parser.add_argument("--calibration", type=Path, help=".npy of inputs [N, H, W, 3], for int8")
    flags = parser.parse_args()
    events.emit("phase", name="importing TensorFlow")
    import tensorflow as tf

    events.emit("phase", name=f"converting to TFLite, {flags.precision}")
    converter = _converter(tf, flags.graph)
    if flags.precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    model = converter.convert()
    if flags.precision == "int8":
        model = _quantised(tf, flags.graph, _inputs_of(flags.calibration), unquantised(model))
    flags.out.write_bytes(model)
    tell_peak_memory()


def _converter(tf: Any, graph: Path) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(graph), signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter


def _quantised(tf: Any, graph: Path, inputs: Inputs, keep: list[str]) -> bytes:
    """The network in 8-bit integers; what the tensors `keep` are computed by stays float32.

    Quantised as a whole the model finds nothing: one scale for a tensor of coordinates and scores leaves no digits.
    """
    converter = _converter(tf, graph)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = inputs
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=keep)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=inputs, debug_options=options
    )
    return bytes(debugger.get_nondebug_quantized_model())


def unquantised(model: bytes) -> list[str]:
    """Names of the tensors that are to stay float32: from the last convolution of each head to the outputs.

    Args:
        model: a TFLite model in float32.
    """
    from ai_edge_litert import schema_py_generated as schema

    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = parsed.subgraphs[0]
    kinds = [code.builtinCode for code in parsed.operatorCodes]
    convolutions = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    before_one: set[int] = set()  # tensors that a convolution needs
    names = []
    for operator in reversed(graph.operators):
        if before_one.isdisjoint(operator.outputs):
            names += [graph.tensors[index].name.decode() for index in operator.outputs]
        if kinds[operator.opcodeIndex] in convolutions or not before_one.isdisjoint(operator.outputs):
            before_one.update(int(index) for index in operator.inputs)
    return names


def _inputs_of(calibration: Path) -> Inputs:
    import numpy as np

    def inputs() -> Iterator[list[Any]]:
        for image in np.load(calibration, mmap_mode="r"):
            yield [np.ascontiguousarray(image[np.newaxis])]

    return inputs


if __name__ == "__main__":
    main()
