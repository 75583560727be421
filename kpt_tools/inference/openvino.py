"""OpenVINO models on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.config.engines import BFLOAT16
from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import first_line
from kpt_tools.inference.fixed_size import Network
from kpt_tools.lazy import require


def load_openvino(path: Path, precision: str) -> Network:
    """Load an OpenVINO model for the CPU.

    OpenVINO would choose bfloat16 by itself where the processor has it; here it computes in float32 (an int8 model: its
    quantised layers in int8) unless bfloat16 is asked for.

    Args:
        path: the .xml file; its weights are in the .bin file beside it.
        precision: of the export, for what to compute in.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        EngineError: it cannot load or run the model.
    """
    openvino = require("openvino", purpose="running an OpenVINO model")
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == BFLOAT16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", hints)
    except Exception as exc:
        raise EngineError(
            f"{path}: OpenVINO {openvino.__version__} cannot load it ({first_line(exc)}). Run kpt-tools export again, "
            "or pip install --upgrade openvino."
        ) from exc
    request = compiled.create_infer_request()
    names = {output.get_any_name(): output for output in compiled.outputs}

    def run(image: Any) -> dict[str, Any]:
        try:
            found = request.infer([image])
        except Exception as exc:
            raise EngineError(f"{path}: OpenVINO failed ({first_line(exc)}).") from exc
        return {name: found[output] for name, output in names.items()}

    return run
