"""Convert a graph of fixed size to ONNX in float32, with tf2onnx."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from kpt_tools.odapi import events
from kpt_tools.odapi.memory import tell_peak_memory

OPSET = 17


def main() -> None:
    """Do what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, required=True, help="SavedModel of fixed size")
    parser.add_argument("--out", type=Path, required=True, help="file to make")
    flags = parser.parse_args()
    events.emit("phase", name="importing TensorFlow")
    from tf2onnx import convert

    events.emit("phase", name="converting to ONNX")
    sys.argv = [convert.__name__, "--saved-model", str(flags.graph), "--tag", "serve"]
    sys.argv += ["--signature_def", "serving_default", "--opset", str(OPSET), "--output", str(flags.out)]
    convert.main()
    _modernise(flags.out)
    tell_peak_memory()


def _modernise(path: Path) -> None:
    """Rewrite what newer operator sets no longer have, and check the model.

    tf2onnx writes nearest-neighbour upsampling as "tf_half_pixel_for_nn", which opset 13 dropped: ONNX Runtime warns of
    it, other programs refuse it. For whole factors k, floor((i + 0.5) / k) = floor(i / k): "asymmetric" is the same.
    """
    import onnx

    model = onnx.load(str(path))
    for node in model.graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        mode = attributes.get("coordinate_transformation_mode")
        if node.op_type == "Resize" and mode is not None and mode.s == b"tf_half_pixel_for_nn":
            _check_upsampling(attributes, node.name)
            mode.s = b"asymmetric"
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _check_upsampling(attributes: dict[str, Any], name: str) -> None:
    """Nearest, rounding down; the OD API only upsamples by whole factors that way."""
    found = attributes["mode"].s, attributes["nearest_mode"].s
    if found != (b"nearest", b"floor"):
        raise ValueError(f"{name}: resizing with {found}; expected nearest and floor")


if __name__ == "__main__":
    main()
