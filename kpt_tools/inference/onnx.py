"""ONNX models in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.config.network_input import INPUT_NAME
from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import first_line
from kpt_tools.inference.fixed_size import Network
from kpt_tools.lazy import require
from kpt_tools.machine import available_cores

_ERRORS_ONLY = 3


def load_onnx(path: Path, streams: int = 1) -> Network:
    """Load an ONNX model for the CPU.

    Args:
        path: a model of `kpt-tools export`.
        streams: how many pictures will be run side by side, each with its share of the cores.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        EngineError: it cannot load or run the model.
    """
    runtime = require("onnxruntime", purpose="running an ONNX model")
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = max(available_cores() // streams, 1)
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # ONNX Runtime's errors have no common class
        raise EngineError(
            f"{path}: ONNX Runtime {runtime.__version__} cannot load it ({first_line(exc)}). "
            "Run kpt-tools export again, or pip install --upgrade onnxruntime."
        ) from exc
    names = [output.name for output in session.get_outputs()]

    def run(image: Any) -> dict[str, Any]:
        try:
            return dict(zip(names, session.run(names, {INPUT_NAME: image}), strict=True))
        except Exception as exc:
            raise EngineError(f"{path}: ONNX Runtime failed ({first_line(exc)}).") from exc

    return run
