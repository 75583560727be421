"""What every engine that runs an exported model offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kpt_tools.entities import ModelMetadata

ImageRgb = npt.NDArray[np.uint8]
"""[H, W, 3], uint8, red first."""

RawDetections = Mapping[str, npt.NDArray[Any]]
"""The arrays of one image, without a batch axis; see `kpt_tools.inference.decode`."""


_BOX_KEYS = ("detection_boxes", "detection_classes", "detection_scores")
_POINT_KEYS = ("detection_keypoints", "detection_keypoint_scores")


def detection_keys(metadata: ModelMetadata) -> tuple[str, ...]:
    """Names of the arrays that every engine gives for a model of this kind."""
    return _BOX_KEYS + (_POINT_KEYS if metadata.label_map.num_keypoints else ())


def check_image(image: npt.NDArray[Any]) -> None:
    """Refuse what is no picture.

    Raises:
        ValueError: not a [H, W, 3] uint8 array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected [H, W, 3] uint8, got {list(image.shape)} {image.dtype}")


def first_line(exc: BaseException) -> str:
    """The first line of what a foreign library says, or the name of its error."""
    return next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__


class Engine(Protocol):
    """Runs a detector on pictures."""

    @property
    def metadata(self) -> ModelMetadata:
        """Classes and keypoints of the model."""

    @property
    def batch_size(self) -> int:
        """How many pictures `detect_batch` is best given at once."""

    @property
    def calls(self) -> int:
        """How many calls of `detect_batch` may run at once, from as many threads; 1 if one keeps all cores busy."""

    def detect(self, image: ImageRgb) -> RawDetections:
        """Detect in an upright RGB picture.

        Args:
            image: [H, W, 3] uint8, red first, at its full size: resizing and padding are part of the model.

        Returns:
            detection_boxes [N, 4] (y1, x1, y2, x2 from 0 to 1 over the picture), detection_classes [N]
            (ids 1..C), detection_scores [N]; and for a model with keypoints detection_keypoints [N, S, 2]
            (y, x from 0 to 1) and detection_keypoint_scores [N, S], S being the number of keypoint slots.

        Raises:
            EngineError: the engine failed.
        """

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """Detect in several pictures, of one size or of different ones.

        The result is that of `detect` for each. An engine runs them in one batch where it can.

        Args:
            images: pictures as for `detect`; none gives an empty list.

        Returns:
            The arrays of each picture, in order.

        Raises:
            EngineError: the engine failed.
        """
