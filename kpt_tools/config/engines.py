"""The engines that run exported models, and which of them `kpt-tools infer` and `kpt-tools eval` were asked for."""

from __future__ import annotations

from kpt_tools.config.base import did_you_mean
from kpt_tools.config.export import FLOAT32, INT8, ONNX, OPENVINO, PRECISIONS, SAVED_MODEL, TFLITE
from kpt_tools.errors import ConfigError

LITERT = "litert"
AUTO = "auto"

ENGINE_OF_FORMAT = {SAVED_MODEL: SAVED_MODEL, ONNX: ONNX, OPENVINO: OPENVINO, TFLITE: LITERT}
ENGINES = tuple(ENGINE_OF_FORMAT.values())

FLOAT16, BFLOAT16 = "float16", "bfloat16"
PRECISIONS_OF: dict[str, tuple[str, ...]] = {
    SAVED_MODEL: (FLOAT32,),
    ONNX: (FLOAT32, FLOAT16, INT8),
    TFLITE: (FLOAT32, FLOAT16, INT8),
    OPENVINO: (FLOAT32, FLOAT16, BFLOAT16, INT8),
}
"""What each format is made in."""


def check_engine(engine: str | None, precision: str | None) -> None:
    """Refuse what is no engine or no precision; None is left open.

    Raises:
        ConfigError: no such engine or precision.
    """
    for what, given, known in (("engine", engine, (AUTO, *ENGINES)), ("precision", precision, PRECISIONS)):
        if given is not None and given not in known:
            raise ConfigError(f"--{what} '{given}'{did_you_mean(given, known)}")


def check_precision(format: str, precision: str) -> None:
    """Refuse what a format is not made in.

    Raises:
        ConfigError: the message has what there is.
    """
    known = PRECISIONS_OF[format]
    if precision not in known:
        raise ConfigError(f"{format} is not made in {precision}; expected {' or '.join(known)}.")
