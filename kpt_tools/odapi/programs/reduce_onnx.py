"""Make a smaller ONNX model of one in float32: weights in 16 bits, or convolutions in 8-bit integers."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kpt_tools.odapi import events
from kpt_tools.odapi.memory import tell_peak_memory

SMALLEST_WEIGHTS = 256
"""Arrays with fewer values stay in float32: scales, anchors and constants of the arithmetic after the network."""


def main() -> None:
    """Do what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="ONNX model in float32")
    parser.add_argument("--out", type=Path, required=True, help="file to make")
    parser.add_argument("--precision", choices=("float16", "int8"), required=True)
    parser.add_argument("--calibration", type=Path, help=".npy of inputs [N, H, W, 3], for int8")
    flags = parser.parse_args()
    events.emit("phase", name=f"reducing ONNX to {flags.precision}")
    if flags.precision == "float16":
        _halve_weights(flags.model, flags.out)
    else:
        _quantise(flags.model, flags.out, flags.calibration)
    tell_peak_memory()


def _halve_weights(source: Path, out: Path) -> None:
    """Store weights in float16; they are made float32 when the model is loaded, and it computes in float32."""
    import numpy as np
    import onnx

    model = onnx.load(str(source))
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_WEIGHTS:
            continue
        name, stored = tensor.name, f"{tensor.name}/float16"
        limit = np.finfo(np.float16).max
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.clip(values, -limit, limit).astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], f"{name}/Cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


def _quantise(source: Path, out: Path, calibration: Path) -> None:
    """Let the convolutions compute in 8-bit integers, but for the last of each head; the rest stays float32.

    Ranges are means over the calibration pictures of the smallest and largest value in each.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, quantize_static, shape_inference

    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        shape_inference.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        keep = last_convolutions(onnx.load(str(prepared), load_external_data=False).graph)
        quantize_static(
            str(prepared),
            str(out),
            _reader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=keep,
            per_channel=True,
            extra_options={"CalibMovingAverage": True},
        )


def last_convolutions(graph: Any) -> list[str]:
    """Names of the convolutions that no other one comes after: those that give sizes, offsets and scores.

    Args:
        graph: an ``onnx.GraphProto``, its nodes in topological order.
    """
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    before_one: set[str] = set()  # outputs that a convolution needs
    last = []
    for node in reversed(graph.node):
        used = [user for name in node.output for user in users.get(name, ())]
        needed = any(user.op_type == "Conv" or before_one.intersection(user.output) for user in used)
        if needed:
            before_one.update(node.output)
        elif node.op_type == "Conv":
            last.append(node.name)
    return last


def _reader(calibration: Path) -> Any:
    import numpy as np
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Hands out the stored inputs one by one."""

        def __init__(self, images: Iterable[Any]) -> None:
            self._images: Iterator[Any] = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            """The next input, or None after the last."""
            image = next(self._images, None)
            return None if image is None else {"image": np.ascontiguousarray(image[np.newaxis])}

    return Reader(np.load(calibration, mmap_mode="r"))


if __name__ == "__main__":
    main()
