"""Open an exported folder with the engine that was asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from kpt_tools.config.engines import ENGINE_OF_FORMAT, ENGINES, LITERT, check_precision
from kpt_tools.config.export import FLOAT32, ONNX, OPENVINO, SAVED_MODEL, file_of
from kpt_tools.errors import ConfigError
from kpt_tools.inference.engine import Engine
from kpt_tools.inference.fixed_size import FixedSizeEngine, Network
from kpt_tools.inference.litert import load_litert
from kpt_tools.inference.onnx import load_onnx
from kpt_tools.inference.openvino import load_openvino
from kpt_tools.inference.padded import fitted
from kpt_tools.machine import available_cores

LARGEST_SIDE_BY_SIDE = 128 * 1024 * 1024
"""Bytes. Larger networks keep all cores busy with one picture, and their activations fill the memory."""


def open_engine(
    folder: Path, engine: str = SAVED_MODEL, precision: str = FLOAT32, *, side_by_side: bool = False
) -> Engine:
    """Load a model; only the engine "saved_model" imports TensorFlow.

    Args:
        folder: what `kpt-tools export` wrote.
        engine: "saved_model", "onnx" (ONNX Runtime), "openvino" or "litert".
        precision: of the file: "float32", "float16", "bfloat16" or "int8"; a SavedModel is float32.
        side_by_side: for many pictures: small networks run one picture per core instead of one on all cores, which
            takes longer for each and less for all. What is found is the same.

    Raises:
        ConfigError: no such engine, or the folder has no model for it.
        DataError: the description of the model is damaged.
        MissingDependencyError: the engine's package is not installed.
        EngineError: the model cannot be loaded.
    """
    folder = Path(folder)
    model = existing_model(folder, engine, precision)
    if engine == SAVED_MODEL:
        from kpt_tools.inference.saved_model import SavedModelEngine

        return fitted(SavedModelEngine(folder))
    streams = _streams(model, engine) if side_by_side else 1
    return fitted(FixedSizeEngine(folder, model, _loader(engine, precision, streams), streams))


def existing_model(folder: Path, engine: str, precision: str = FLOAT32) -> Path:
    """The file that an engine opens.

    Raises:
        ConfigError: no such engine or precision, or the folder has no model for it.
    """
    model = model_of_engine(folder, engine, precision)
    if not model.is_file():
        format = model.parent.name
        raise ConfigError(
            f"{folder}: has no {model.relative_to(folder)}; expected a model for the engine '{engine}' in {precision}. "
            f"Run kpt-tools export with --format {format} --precision {precision}."
        )
    return model


def model_of_engine(folder: Path, engine: str, precision: str = FLOAT32) -> Path:
    """The file that an engine opens, whether it is there or not.

    Raises:
        ConfigError: no such engine, or a precision that its format is not made in.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine is '{engine}'; expected one of {', '.join(ENGINES)}.")
    format = next(format for format, own in ENGINE_OF_FORMAT.items() if own == engine)
    check_precision(format, precision)
    return folder / file_of(format, precision)


def _streams(model: Path, engine: str) -> int:
    """How many pictures to run side by side. LiteRT would need a copy of the network for each."""
    weights = model.with_suffix(".bin") if engine == OPENVINO else model
    if engine == LITERT or weights.stat().st_size > LARGEST_SIDE_BY_SIDE:
        return 1
    return available_cores()


def _loader(engine: str, precision: str, streams: int) -> Callable[[Path], Network]:
    loaders: dict[str, Callable[[Path], Network]] = {
        ONNX: functools.partial(load_onnx, streams=streams),
        OPENVINO: functools.partial(load_openvino, precision=precision, streams=streams),
        LITERT: load_litert,
    }
    return loaders[engine]
