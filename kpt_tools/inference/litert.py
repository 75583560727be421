"""TFLite models in LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.config.network_input import INPUT_NAME
from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import first_line
from kpt_tools.inference.fixed_size import Network
from kpt_tools.lazy import require
from kpt_tools.machine import available_cores


def load_litert(path: Path) -> Network:
    """Load a TFLite model for the CPU.

    Args:
        path: a model of `kpt-tools export`.

    Raises:
        MissingDependencyError: LiteRT is not installed.
        EngineError: it cannot load or run the model.
    """
    interpreter_module = require("ai_edge_litert.interpreter", purpose="running a TFLite model")
    try:
        interpreter = interpreter_module.Interpreter(model_path=str(path), num_threads=available_cores())
        runner = interpreter.get_signature_runner()
    except Exception as exc:
        raise EngineError(
            f"{path}: LiteRT cannot load it ({first_line(exc)}). Run kpt-tools export again, "
            "or pip install --upgrade ai-edge-litert."
        ) from exc

    def run(image: Any) -> dict[str, Any]:
        try:
            return dict(runner(**{INPUT_NAME: image}))
        except Exception as exc:
            raise EngineError(f"{path}: LiteRT failed ({first_line(exc)}).") from exc

    return run
