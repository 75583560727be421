"""OpenVINO models on the CPU."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpt_tools.config.engines import BFLOAT16
from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import first_line
from kpt_tools.inference.fixed_size import Network
from kpt_tools.inference.openvino_cache import cache_hints
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
        compiled = _compiled(_core(openvino), path, hints)
        requests = Requests(compiled, streams)
    except Exception as exc:
        raise EngineError(
            f"{path}: OpenVINO {openvino.__version__} cannot load it ({first_line(exc)}). Run kpt-tools export again, "
            "or pip install --upgrade openvino."
        ) from exc
    names = {output.get_any_name(): output for output in compiled.outputs}

    def run(image: Any) -> dict[str, Any]:
        try:
            found = requests.infer(image)
            return {name: found[output] for name, output in names.items()}
        except Exception as exc:
            raise EngineError(f"{path}: OpenVINO failed ({first_line(exc)}).") from exc

    return run


def _compiled(core: Any, path: Path, hints: Mapping[str, str]) -> Any:
    """The model, from what an earlier start prepared if possible."""
    more = cache_hints(path, hints)
    if more:
        with contextlib.suppress(RuntimeError):  # a full disk, for example; if it is the model, that is told below
            return core.compile_model(str(path), "CPU", {**hints, **more})
    return core.compile_model(str(path), "CPU", hints)


class Requests:
    """Some requests of a compiled model, each of which runs one picture at a time; until all have run once, only one.

    What a request prepares in its first run can deadlock with what another one prepares. Seen with OpenVINO 2026.4 and
    two requests on two cores: one start in nine hung (see also github.com/ultralytics/ultralytics/issues/25923).
    """

    def __init__(self, compiled: Any, count: int) -> None:
        """Make them."""
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(compiled.create_infer_request())
        self._new, self._first_runs = count, threading.Lock()

    def infer(self, image: Any) -> Any:
        """What the model makes of a picture [1, H, W, 3] float32; may be called by several threads."""
        if self._new:
            with self._first_runs:
                if self._new:
                    return self._run(image, first=True)
        return self._run(image)

    def _run(self, image: Any, *, first: bool = False) -> Any:
        request = self._free.get()
        try:
            return request.infer([image], share_inputs=True)
        finally:
            self._free.put(request)  # behind those that have not run
            self._new -= int(first)


@functools.cache
def _core(openvino: Any) -> Any:
    """The one Core of this process, which lives as long as it.

    OpenVINO 2026.4's CPU plugin gives its thread a stack for signals, and when it goes puts back the one that it found.
    With two of them that may be the stack of one that is gone, and the next Ctrl-C is a segmentation fault.
    """
    return openvino.Core()
