"""Pictures of another shape than a rectangular input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.inference.engine import ImageRgb, RawDetections
from kpt_tools.inference.padded import PaddedEngine, fitted, padded, padded_hw

INPUT_HW = (96, 128)


class Brightest:
    """An engine whose one object is at the brightest pixel, with a box over the whole picture that it is given."""

    batch_size, calls = 4, 3

    def __init__(self, input_hw: tuple[int, int] = INPUT_HW) -> None:
        patch = LabelMapItem(1, "patch", (KeypointLabel(0, "top", "top"),))
        self.metadata = ModelMetadata(LabelMap((patch,)), (), (0.05,), input_hw=input_hw)
        self.seen: list[tuple[int, ...]] = []

    def detect(self, image: ImageRgb) -> RawDetections:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        self.seen += [image.shape for image in images]
        return [self._found(image) for image in images]

    @staticmethod
    def _found(image: ImageRgb) -> RawDetections:
        place = np.unravel_index(image.sum(axis=2).argmax(), image.shape[:2])
        return {
            "detection_boxes": np.array([[0.0, 0.0, 1.0, 1.0]], np.float32),
            "detection_scores": np.array([0.9], np.float32),
            "detection_keypoints": np.array([[np.divide(place, image.shape[:2])]], np.float32),
        }


@pytest.mark.parametrize(
    ("image_hw", "expected"),
    [
        pytest.param((480, 640), (480, 640), id="its shape"),
        pytest.param((480, 660), (480, 660), id="nearly its shape"),
        pytest.param((640, 480), (640, 853), id="portrait"),
        pytest.param((1080, 1920), (1440, 1920), id="wide"),
        pytest.param((1, 1000), (750, 1000), id="a line"),
    ],
)
def test_what_is_added(image_hw: tuple[int, int], expected: tuple[int, int]) -> None:
    assert padded_hw(image_hw, INPUT_HW) == expected
    picture = padded(np.full((*image_hw, 3), 7, np.uint8), INPUT_HW)
    assert picture.shape == (*expected, 3)
    assert (picture[: image_hw[0], : image_hw[1]] == 7).all()
    assert picture.sum() == 7 * 3 * image_hw[0] * image_hw[1]


def test_detections_are_relative_to_the_picture() -> None:
    portrait, landscape = np.zeros((200, 100, 3), np.uint8), np.zeros((96, 128, 3), np.uint8)
    portrait[150, 75] = landscape[24, 32] = 255
    engine = Brightest()
    tall, wide = PaddedEngine(engine).detect_batch([portrait, landscape])
    assert engine.seen == [(200, 267, 3), (96, 128, 3)]
    np.testing.assert_allclose(tall["detection_keypoints"], [[[0.75, 0.75]]], rtol=1e-6)
    np.testing.assert_allclose(wide["detection_keypoints"], [[[0.25, 0.25]]], rtol=1e-6)
    np.testing.assert_array_equal(tall["detection_boxes"], [[0, 0, 1, 1]])
    np.testing.assert_array_equal(PaddedEngine(engine).detect(portrait)["detection_scores"], np.float32([0.9]))


def test_only_a_rectangle_needs_it() -> None:
    square = Brightest((128, 128))
    assert fitted(square) is square
    engine = fitted(Brightest())
    assert isinstance(engine, PaddedEngine)
    assert (engine.batch_size, engine.calls) == (4, 3)
    assert engine.metadata.input_hw == INPUT_HW


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        PaddedEngine(Brightest()).detect(np.zeros((3, 4), np.uint8))
