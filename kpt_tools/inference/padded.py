"""Pictures of another shape than a rectangular input, which would be stretched: they are padded instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpt_tools.config.network_input import MOST_STRETCH, stretch
from kpt_tools.entities import ModelMetadata
from kpt_tools.inference.around import EngineAround
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections, check_image

_BOXES, _POINTS = "detection_boxes", "detection_keypoints"


class PaddedEngine(EngineAround):
    """Gives an engine pictures of about the shape of its input, black at the right or at the bottom."""

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """See `Engine`."""
        for image in images:
            check_image(image)
        found = self._engine.detect_batch([padded(image, self.metadata.input_hw) for image in images])
        hws = [padded_hw((image.shape[0], image.shape[1]), self.metadata.input_hw) for image in images]
        return [_unpadded(raw, image, hw) for raw, image, hw in zip(found, images, hws, strict=True)]


def fitted(engine: Engine) -> Engine:
    """`engine`, made to pad pictures if its network takes a rectangle."""
    return PaddedEngine(engine) if takes_rectangle(engine.metadata) else engine


def takes_rectangle(metadata: ModelMetadata) -> bool:
    """Whether pictures of another shape have to be padded; a network that takes a square does so by itself."""
    height, width = metadata.input_hw
    return height != width


def padded_hw(image_hw: tuple[int, int], input_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a picture with its padding; its own, if it differs little from the input's shape."""
    height, width = image_hw
    wanted = input_hw[1] / input_hw[0]
    if stretch(width / height, wanted) <= MOST_STRETCH:
        return image_hw
    return max(height, round(width / wanted)), max(width, round(height * wanted))


def padded(image: ImageRgb, input_hw: tuple[int, int]) -> ImageRgb:
    """A picture [H, W, 3] uint8 in the upper left corner of a black one of about the input's shape."""
    height, width = padded_hw((image.shape[0], image.shape[1]), input_hw)
    if (height, width) == image.shape[:2]:
        return image
    return np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)))


def _unpadded(raw: RawDetections, image: ImageRgb, hw: tuple[int, int]) -> RawDetections:
    """Detections relative to the picture; boxes are cut at its border, as they are at that of the input."""
    if hw == image.shape[:2]:
        return raw
    scale = np.divide(hw, image.shape[:2], dtype=np.float32)
    result = {**raw, _BOXES: np.clip(raw[_BOXES] * np.tile(scale, 2), 0.0, 1.0)}
    if _POINTS in raw:
        result[_POINTS] = raw[_POINTS] * scale
    return result
