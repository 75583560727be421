"""The engines that run exported models, and which of them `kpt-tools infer` and `kpt-tools eval` were asked for."""

from __future__ import annotations

from kpt_tools.config.base import did_you_mean
from kpt_tools.config.export import ONNX, OPENVINO, PRECISIONS, SAVED_MODEL, TFLITE
from kpt_tools.errors import ConfigError

LITERT = "litert"
AUTO = "auto"

ENGINE_OF_FORMAT = {SAVED_MODEL: SAVED_MODEL, ONNX: ONNX, OPENVINO: OPENVINO, TFLITE: LITERT}
ENGINES = tuple(ENGINE_OF_FORMAT.values())


def check_engine(engine: str | None, precision: str | None) -> None:
    """Refuse what is no engine or no precision; None is left open.

    Raises:
        ConfigError: no such engine or precision.
    """
    for what, given, known in (("engine", engine, (AUTO, *ENGINES)), ("precision", precision, PRECISIONS)):
        if given is not None and given not in known:
            raise ConfigError(f"--{what} '{given}'{did_you_mean(given, known)}")
