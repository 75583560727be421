"""OpenVINO models on the CPU."""

from __future__ import annotations

import functools
import queue
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.config.engines import BFLOAT16
from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import first_line
from kpt_tools.inference.fixed_size import Network
from kpt_tools.lazy import require
from kpt_tools.machine import available_cores


def load_openvino(path: Path, precision: str, streams: int = 1) -> Network:
    """Load an OpenVINO model for the CPU.

    OpenVINO would choose bfloat16 by itself where the processor has it; here it computes in float32 (an int8 model: its
    quantised layers in int8) unless bfloat16 is asked for.

    Args:
        path: the .xml file; its weights are in the .bin file beside it.
        precision: of the export, for what to compute in.
        streams: how many pictures will be run side by side, each with its share of the cores.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        EngineError: it cannot load or run the model.
    """
    openvino = require("openvino", purpose="running an OpenVINO model")
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == BFLOAT16 else "f32",
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": str(available_cores()),
    }
    try:
        compiled = _core(openvino).compile_model(str(path), "CPU", hints)
        requests = _warm_requests(compiled, streams)
    except Exception as exc:
        raise EngineError(
            f"{path}: OpenVINO {openvino.__version__} cannot load it ({first_line(exc)}). Run kpt-tools export again, "
            "or pip install --upgrade openvino."
        ) from exc
    names = {output.get_any_name(): output for output in compiled.outputs}

    def run(image: Any) -> dict[str, Any]:
        request = requests.get()
        try:
            found = request.infer([image])
            return {name: found[output] for name, output in names.items()}
        except Exception as exc:
            raise EngineError(f"{path}: OpenVINO failed ({first_line(exc)}).") from exc
        finally:
            requests.put(request)

    return run


def _warm_requests(compiled: Any, count: int) -> queue.SimpleQueue[Any]:
    """Requests that ran once, if there are several: one after the other.

    What a request prepares in its first run can deadlock with what another one prepares. Seen with OpenVINO 2026.4 and
    two requests on two cores: one start in nine hung (see also github.com/ultralytics/ultralytics/issues/25923).
    """
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(count):
        request = compiled.create_infer_request()
        if count > 1:
            request.infer([np.zeros(tuple(compiled.input(0).shape), np.float32)])
        requests.put(request)
    return requests


@functools.cache
def _core(openvino: Any) -> Any:
    """The one Core of this process, which lives as long as it.

    OpenVINO 2026.4's CPU plugin gives its thread a stack for signals, and when it goes puts back the one that it found.
    With two of them that may be the stack of one that is gone, and the next Ctrl-C is a segmentation fault.
    """
    return openvino.Core()
