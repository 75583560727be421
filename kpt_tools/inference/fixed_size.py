"""What all engines for models of fixed size share: files, pictures in, detections out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.config.model_metadata import read_metadata
from kpt_tools.config.network_input import read_network_input
from kpt_tools.entities import ModelMetadata
from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import ImageRgb, RawDetections, check_image, detection_keys
from kpt_tools.inference.preprocess import FloatImage, network_image, without_padding

Network = Callable[[FloatImage], Mapping[str, npt.NDArray[Any]]]
"""Runs a network: [1, H, W, 3] float32 in, arrays by name out, each with a batch axis of 1."""


class FixedSizeEngine:
    """A detector whose network takes one picture of fixed size; resizing and its undoing happen here."""

    def __init__(self, folder: Path, model: Path, load: Callable[[Path], Network], streams: int = 1) -> None:
        """Read what the network takes, and load it.

        Args:
            folder: an exported folder.
            model: the file of the network in it; the description of its input is beside it.
            load: loads the network.
            streams: how many pictures may be run side by side; the network must bear being called from that many
                threads.

        Raises:
            ConfigError: a file is missing.
            DataError: kpt_tools.json or the description of the input is damaged.
            MissingDependencyError: the engine's package is not installed.
            EngineError: it cannot load the model.
        """
        self.folder = folder
        self._model = model
        self._metadata = read_metadata(folder)
        self._input = read_network_input(model)
        self._network = load(model)
        self.batch_size, self.calls = 1, streams

    @property
    def metadata(self) -> ModelMetadata:
        """Classes and keypoints of the model."""
        return self._metadata

    def detect(self, image: ImageRgb) -> RawDetections:
        """Detect in one RGB picture; see `kpt_tools.inference.engine.Engine.detect`.

        Raises:
            ValueError: not a [H, W, 3] uint8 array.
            EngineError: the engine failed.
        """
        check_image(image)
        output = self._network(network_image(image, self._input)[np.newaxis])
        keys = detection_keys(self._metadata)
        missing = [key for key in keys if key not in output]
        if missing:
            raise EngineError(
                f"{self._model}: the model gives no {', '.join(missing)}; it gives {', '.join(sorted(output))}. "
                "Run kpt-tools export again."
            )
        raw = {key: output[key][0] for key in keys}
        return without_padding(raw, (image.shape[0], image.shape[1]), self._input)

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """Detect in several pictures, one after the other: the network takes one at a time.

        Raises:
            ValueError: not [H, W, 3] uint8 arrays.
            EngineError: the engine failed.
        """
        return list(map(self.detect, images))
