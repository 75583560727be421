"""Convert an ONNX model of fixed size to OpenVINO's own format."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpt_tools.odapi import events
from kpt_tools.odapi.memory import tell_peak_memory


def main() -> None:
    """Do what the flags say; the weights go beside ``--out``, with the suffix .bin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="ONNX model")
    parser.add_argument("--out", type=Path, required=True, help=".xml file to make")
    parser.add_argument("--halve-weights", action="store_true", help="store them in float16")
    flags = parser.parse_args()
    events.emit("phase", name="converting to OpenVINO")
    import openvino

    model = openvino.Core().read_model(str(flags.model))
    openvino.save_model(model, str(flags.out), compress_to_fp16=flags.halve_weights)
    tell_peak_memory()


if __name__ == "__main__":
    main()
