"""Settings of `kpt-tools export`, and where things lie in an exported folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SAVED_MODEL = "saved_model"
ONNX = "onnx"
TFLITE = "tflite"
OPENVINO = "openvino"
FORMATS = (SAVED_MODEL, ONNX, TFLITE, OPENVINO)

FLOAT32 = "float32"
PRECISIONS = (FLOAT32, "float16", "bfloat16", "int8")

_SUFFIXES = {ONNX: ".onnx", TFLITE: ".tflite", OPENVINO: ".xml"}


def file_of(format: str, precision: str = FLOAT32) -> Path:
    """The file of a format in an exported folder, relative to it.

    An OpenVINO model is two files: the ``.xml`` that this names, and its weights beside it, ``.bin``.

    Args:
        format: one of `FORMATS`.
        precision: one of `PRECISIONS`; a SavedModel is always float32.
    """
    if format == SAVED_MODEL:
        return Path(SAVED_MODEL, "saved_model.pb")
    return Path(format, f"model_{precision}{_SUFFIXES[format]}")


@dataclass(frozen=True)
class ExportConfig:
    """Settings of `kpt-tools export`.

    Attributes:
        run: the run folder of a training.
        out: the folder to make; None: ``<run>/export``. An older export there is replaced.
        force: export again even if ``<run>/export`` is that of the last checkpoint.
    """

    run: Path = Path("runs/train")
    out: Path | None = None
    force: bool = False
