"""Settings of `kpt-tools export`, and where things lie in an exported folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.base import did_you_mean
from kpt_tools.config.checkpoint import check_checkpoint
from kpt_tools.errors import ConfigError

SAVED_MODEL = "saved_model"
ONNX = "onnx"
TFLITE = "tflite"
OPENVINO = "openvino"
FORMATS = (SAVED_MODEL, ONNX, TFLITE, OPENVINO)

FLOAT32 = "float32"
INT8 = "int8"
PRECISIONS = (FLOAT32, "float16", "bfloat16", INT8)

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
        checkpoint: of the run, "best" or "last"; None: the best where one is kept.
        out: the folder to make; None: ``<run>/export``. An older export there is replaced.
        formats: what to write, of `FORMATS`; the SavedModel is always written.
        precisions: of the formats other than the SavedModel, of `PRECISIONS`.
        images: a folder of pictures to compare on; None: the validation records of the run.
        parity_images: compare boxes, keypoints and scores on so many pictures, spread evenly over those there are.
        ap_images: measure AP on at most so many of the validation pictures, spread evenly; None: on all.
        force: export again even if ``<run>/export`` is that of the checkpoint.
    """

    run: Path = Path("runs/train")
    checkpoint: str | None = None
    out: Path | None = None
    formats: tuple[str, ...] = (SAVED_MODEL,)
    precisions: tuple[str, ...] = (FLOAT32,)
    images: Path | None = None
    parity_images: int = 32
    ap_images: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        check_checkpoint(self.checkpoint)
        _check_names("format", self.formats, FORMATS)
        _check_names("precision", self.precisions, PRECISIONS)
        if self.parity_images < 1:
            raise ConfigError(f"--parity-images {self.parity_images}; expected at least 1.")
        if self.ap_images is not None and self.ap_images < 0:
            raise ConfigError(f"--ap-images {self.ap_images}; expected 0 or more.")

    @property
    def conversions(self) -> tuple[tuple[str, str], ...]:
        """Format and precision of everything to be made besides the SavedModel, each once."""
        wanted = ((format, precision) for format in self.formats for precision in self.precisions)
        return tuple(dict.fromkeys((format, precision) for format, precision in wanted if format != SAVED_MODEL))


def _check_names(what: str, given: Sequence[str], known: tuple[str, ...]) -> None:
    if not given:
        raise ConfigError(f"no --{what} given; expected one of {', '.join(known)}.")
    for name in given:
        if name not in known:
            raise ConfigError(f"--{what} '{name}'{did_you_mean(name, known)}")
