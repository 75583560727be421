"""Exported heatmap models in other runtimes: ONNX Runtime and LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import ModelMetadata
from kpt_tools.errors import EngineError
from kpt_tools.heatmap.serving import INPUT_NAME, DescribedModel, RawOutputs, output_name
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.lazy import require


class _FileModel(DescribedModel):
    """What both have in common: a file, and the name of the one answer."""

    def __init__(self, path: Path, spec: HeatmapSpec, metadata: ModelMetadata) -> None:
        super().__init__(spec, metadata)
        self.path = path

    def run(self, images: npt.NDArray[np.uint8]) -> RawOutputs:
        """Answer for views [N, S, S, 3] uint8, one at a time.

        Raises:
            EngineError: the runtime failed.
        """
        try:
            answers = [self._one(image[np.newaxis]) for image in images]
        except Exception as exc:  # the runtimes raise their own errors, RuntimeError and ValueError
            raise EngineError(f"{self.path}: the model failed ({str(exc).strip().splitlines()[0]}).") from exc
        return {output_name(self._spec): np.concatenate(answers)}

    def _one(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        raise NotImplementedError


class HeatmapOnnx(_FileModel):
    """Runs ``model.onnx`` with ONNX Runtime on the CPU."""

    def __init__(self, path: Path, spec: HeatmapSpec, metadata: ModelMetadata) -> None:
        """Load the model.

        Raises:
            MissingDependencyError: onnxruntime is not installed.
        """
        super().__init__(path, spec, metadata)
        runtime = require("onnxruntime", purpose="running an ONNX model")
        self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def _one(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        (answer,) = self._session.run(None, {self._session.get_inputs()[0].name: image})
        return np.asarray(answer)


class HeatmapTflite(_FileModel):
    """Runs ``model.tflite`` with LiteRT."""

    def __init__(self, path: Path, spec: HeatmapSpec, metadata: ModelMetadata) -> None:
        """Load the model.

        Raises:
            MissingDependencyError: ai-edge-litert is not installed.
        """
        super().__init__(path, spec, metadata)
        runtime = require("ai_edge_litert.interpreter", purpose="running a TFLite model")
        interpreter: Any = runtime.Interpreter(model_path=str(path))
        self._runner = interpreter.get_signature_runner("serving_default")

    def _one(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        return np.asarray(self._runner(**{INPUT_NAME: image})[output_name(self._spec)])
