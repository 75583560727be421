"""A heatmap model as a SavedModel, and the engine that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kpt_tools.config.export import SAVED_MODEL, file_of
from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.entities import ModelMetadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.heatmap.decode import DECODERS, decode_maps, maps_of_simcc
from kpt_tools.heatmap.losses import softmax_maps
from kpt_tools.heatmap.spec import FILE_NAME, HeatmapSpec, read_spec
from kpt_tools.lazy import quiet_tensorflow

INPUT_NAME = "images"
FloatArray = npt.NDArray[np.float64]
RawOutputs = Mapping[str, npt.NDArray[Any]]
"""The outputs for a batch: one of "heatmaps", "simcc", "points"."""


class HeatmapEngine(Protocol):
    """Runs a heatmap model."""

    @property
    def spec(self) -> HeatmapSpec:
        """What it is."""

    @property
    def metadata(self) -> ModelMetadata:
        """Its class and keypoints."""

    def run(self, images: npt.NDArray[np.uint8]) -> RawOutputs:
        """Answer for views [N, S, S, 3] uint8."""


def output_name(spec: HeatmapSpec) -> str:
    """The name of the answer."""
    return spec.target if spec.target in ("simcc", "points") else "heatmaps"


def served(model: Any, spec: HeatmapSpec, images: Any) -> dict[str, Any]:
    """The answer for uint8 pictures: maps and distributions add up to 1 where the target's do."""
    tf = quiet_tensorflow(purpose="a heatmap model")
    name = output_name(spec)
    answer = model(tf.cast(images, tf.float32) / 255.0, training=False)[name]
    if spec.target == "softargmax":
        answer = softmax_maps(answer)
    elif spec.target == "simcc":
        answer = tf.nn.softmax(answer, axis=-1)
    return {name: answer}


def save_model(model: Any, spec: HeatmapSpec, folder: Path) -> Path:
    """Write a SavedModel that takes uint8 pictures [N, S, S, 3], and return its file."""
    tf = quiet_tensorflow(purpose="exporting a heatmap model")
    shape = [None, spec.input_px, spec.input_px, 3]

    def answer(images: Any) -> dict[str, Any]:
        return served(model, spec, images)

    module = tf.Module()
    module.model = model
    signature = tf.function(answer, autograph=False, input_signature=[tf.TensorSpec(shape, tf.uint8, name=INPUT_NAME)])
    module.answer = signature
    target = folder / file_of(SAVED_MODEL)
    tf.saved_model.save(module, str(target.parent), signatures={"serving_default": signature})
    return target


def decode_answer(raw: RawOutputs, spec: HeatmapSpec, decoding: str | None) -> list[tuple[FloatArray, FloatArray]]:
    """Points and scores of a batch of views.

    Args:
        raw: of the engine.
        spec: of the model.
        decoding: one of `DECODERS`; None: what suits the target. A model of coordinates has none.

    Returns:
        Per view: [K, 2] x, y in pixels of the input, and [K] scores from 0 to 1: the peak's height relative to that of
        a point that is certain; 1 for a model of coordinates, which does not know.
    """
    values = np.asarray(raw[output_name(spec)], np.float64)
    if spec.target == "points":
        return [(each * spec.input_px, np.ones(len(each))) for each in values]
    name = decoding if decoding in DECODERS else spec.decoding
    found = []
    for each in values:
        maps = maps_of_simcc(each) if spec.target == "simcc" else each
        points, peaks = decode_maps(maps, spec.input_px, str(name))
        found.append((points, np.clip(peaks / spec.peak, 0.0, 1.0)))
    return found


def is_heatmap_model(folder: Path) -> bool:
    """Whether a folder holds an exported heatmap model."""
    return (folder / FILE_NAME).is_file() and (folder / file_of(SAVED_MODEL)).is_file()


class DescribedModel:
    """What all engines have in common: they know what they run."""

    def __init__(self, spec: HeatmapSpec, metadata: ModelMetadata) -> None:
        self._spec, self._metadata = spec, metadata

    @property
    def spec(self) -> HeatmapSpec:
        """What the model is."""
        return self._spec

    @property
    def metadata(self) -> ModelMetadata:
        """Class and keypoints of the model."""
        return self._metadata


class HeatmapSavedModel(DescribedModel):
    """Runs an exported heatmap model with TensorFlow."""

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Raises:
            ConfigError: the folder is no exported heatmap model.
            DataError: its description is damaged.
            MissingDependencyError: TensorFlow is not installed.
            EngineError: TensorFlow cannot load it.
        """
        if not is_heatmap_model(folder):
            raise ConfigError(f"{folder}: no heatmap model; expected {FILE_NAME} and {file_of(SAVED_MODEL)} in it.")
        self.folder = folder
        super().__init__(read_spec(folder), read_metadata(folder))
        self._tf = quiet_tensorflow(purpose="running a heatmap model")
        try:
            self.loaded = self._tf.saved_model.load(str((folder / file_of(SAVED_MODEL)).parent))
            self._function = self.loaded.signatures["serving_default"]
        except Exception as exc:  # TensorFlow raises OSError, ValueError, KeyError, its own errors ...
            reason = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
            raise EngineError(f"{folder}: TensorFlow cannot load it ({reason}). Export it again.") from exc

    def run(self, images: npt.NDArray[np.uint8]) -> RawOutputs:
        """Answer for views [N, S, S, 3] uint8.

        Raises:
            ValueError: another shape or type.
            EngineError: TensorFlow failed.
        """
        size = self._spec.input_px
        if images.ndim != 4 or images.shape[1:] != (size, size, 3) or images.dtype != np.uint8:
            raise ValueError(f"expected [N, {size}, {size}, 3] uint8, got {list(images.shape)} {images.dtype}")
        try:
            answer = self._function(**{INPUT_NAME: self._tf.constant(images)})
        except self._tf.errors.OpError as exc:
            raise EngineError(f"{self.folder}: TensorFlow failed ({str(exc).strip().splitlines()[0]}).") from exc
        return {name: np.asarray(value.numpy()) for name, value in answer.items()}


def save_one_by_one(folder: Path, out: Path) -> Path:
    """Write an exported model again as a SavedModel that takes one view at a time, for converters; return its folder.

    Args:
        folder: the exported model.
        out: folder to write.

    Raises:
        ConfigError: the folder is no exported heatmap model.
        EngineError: TensorFlow cannot load it.
    """
    tf = quiet_tensorflow(purpose="converting a heatmap model")
    engine = HeatmapSavedModel(folder)
    size = engine.spec.input_px
    module = tf.Module()
    module.model = engine.loaded
    answer = engine.loaded.signatures["serving_default"]

    def one(images: Any) -> Any:
        return answer(**{INPUT_NAME: images})

    module.one = tf.function(
        one, autograph=False, input_signature=[tf.TensorSpec([1, size, size, 3], tf.uint8, name=INPUT_NAME)]
    )
    tf.saved_model.save(module, str(out), signatures={"serving_default": module.one})
    return out
