"""The engine that runs a SavedModel of the OD API's exporter in TensorFlow."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.config.model_metadata import FILE_NAME as METADATA_NAME
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.entities import ModelMetadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.engine import ImageRgb, RawDetections
from kpt_tools.lazy import require

SAVED_MODEL = Path("saved_model") / "saved_model.pb"
LABEL_MAP = "label_map.pbtxt"
INPUT_NAME = "input_tensor"
_BOX_KEYS = ("detection_boxes", "detection_classes", "detection_scores")
_POINT_KEYS = ("detection_keypoints", "detection_keypoint_scores")


def is_exported(folder: Path) -> bool:
    """Whether `folder` holds a SavedModel as `kpt-tools export` writes it."""
    return (folder / SAVED_MODEL).is_file()


def check_exported(folder: Path) -> None:
    """Check that `folder` has all files of an export.

    Raises:
        ConfigError: it has not; the message names what is missing and the command that makes it.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no such folder; expected an exported model. Train with kpt-tools train, then run "
            "kpt-tools export, or name another folder with --model."
        )
    missing = [str(name) for name in (SAVED_MODEL, LABEL_MAP, METADATA_NAME) if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder}: has no {', '.join(missing)}; expected a folder that kpt-tools export wrote. "
            "Run kpt-tools export on the run folder."
        )


class SavedModelEngine:
    """A detector loaded from a folder that `kpt-tools export` wrote.

    The picture goes in at its full size: resizing and padding happen inside the model, and its boxes and
    points come back relative to the picture, without the padding.
    """

    def __init__(self, folder: Path) -> None:
        """Load the model; this takes seconds.

        Raises:
            ConfigError: the folder is missing or no export.
            DataError: its kpt_tools.json is damaged.
            MissingDependencyError: TensorFlow is not installed.
            EngineError: TensorFlow cannot load it, or it is another kind of model.
        """
        self.folder = Path(folder)
        check_exported(self.folder)
        self._metadata = read_metadata(self.folder)
        self._tf = _tensorflow()
        try:
            self._model = self._tf.saved_model.load(str(self.folder / SAVED_MODEL.parent))
        except Exception as exc:  # TensorFlow raises OSError, ValueError, KeyError, its own errors ...
            raise EngineError(
                f"{self.folder / SAVED_MODEL}: TensorFlow {self._tf.__version__} cannot load it "
                f"({_first_line(exc)}). Run kpt-tools export again."
            ) from exc
        self._function = self._signature()

    @property
    def metadata(self) -> ModelMetadata:
        """Classes and keypoints of the model."""
        return self._metadata

    def detect(self, image: ImageRgb) -> RawDetections:
        """Detect in one RGB picture; see `kpt_tools.inference.engine.Engine.detect`.

        Raises:
            ValueError: not a [H, W, 3] uint8 array.
            EngineError: TensorFlow failed.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected [H, W, 3] uint8, got {list(image.shape)} {image.dtype}")
        try:
            output = self._function(**{INPUT_NAME: self._tf.constant(image[np.newaxis])})
        except self._tf.errors.OpError as exc:
            height, width = image.shape[:2]
            raise EngineError(
                f"{self.folder}: TensorFlow failed on a picture of {width}x{height} ({_first_line(exc)}). "
                "If memory ran out, scale the picture down first."
            ) from exc
        keys = _BOX_KEYS + (_POINT_KEYS if self._metadata.label_map.num_keypoints else ())
        return {key: output[key].numpy()[0] for key in keys}

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """Detect in several pictures; see `kpt_tools.inference.engine.Engine.detect_batch`."""
        return [self.detect(image) for image in images]

    def input_specs(self) -> dict[str, str]:
        """Name to "dtype[shape]" of the inputs, such as "uint8[1, ?, ?, 3]"."""
        return {name: _spec_text(spec) for name, spec in self._function.structured_input_signature[1].items()}

    def output_specs(self) -> dict[str, str]:
        """Name to "dtype[shape]" of all outputs, also of those that `detect` does not return."""
        outputs = self._function.structured_outputs
        return {name: _spec_text(outputs[name]) for name in sorted(outputs)}

    def _signature(self) -> Any:
        """The serving function, after checking what goes in and comes out."""
        function = self._model.signatures.get("serving_default")
        if function is None:
            raise EngineError(f"{self.folder}: the SavedModel has no signature 'serving_default'. Export it again.")
        inputs = function.structured_input_signature[1]
        spec = inputs.get(INPUT_NAME)
        if set(inputs) != {INPUT_NAME} or spec.dtype != self._tf.uint8 or spec.shape.rank != 4:
            raise EngineError(
                f"{self.folder}: the SavedModel takes {', '.join(map(str, inputs.values()))}; expected one image "
                f"'{INPUT_NAME}' of uint8 [1, H, W, 3]. Export it with kpt-tools export."
            )
        needed = _BOX_KEYS + (_POINT_KEYS if self._metadata.label_map.num_keypoints else ())
        missing = [key for key in needed if key not in function.structured_outputs]
        if missing:
            raise EngineError(
                f"{self.folder}: the SavedModel gives no {', '.join(missing)}, which {METADATA_NAME} promises. "
                "Export it again."
            )
        return function


def _tensorflow() -> Any:
    """TensorFlow without its start-up chatter (unless the user set TF_CPP_MIN_LOG_LEVEL), growing into GPU memory."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = require("tensorflow", purpose="running a SavedModel")
    tensorflow.get_logger().setLevel("ERROR")
    logging.getLogger("absl").setLevel(logging.ERROR)  # Hourglass-104 warns hundreds of times of lost gradients
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # already initialised: its memory is what it is
            tensorflow.config.experimental.set_memory_growth(gpu, True)
    return tensorflow


def _spec_text(spec: Any) -> str:
    if spec.shape.rank is None:
        return f"{spec.dtype.name}[...]"
    return f"{spec.dtype.name}[{', '.join('?' if size is None else str(size) for size in spec.shape)}]"


def _first_line(exc: BaseException) -> str:
    return next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__
