from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from kpt_tools.config.network_input import NetworkInput
from kpt_tools.inference.preprocess import network_image, resize_bilinear, resized_hw, without_padding

SQUARE = NetworkInput((256, 256), 256)
SIZES = [(480, 640), (640, 480), (100, 77), (256, 256), (333, 500), (171, 1999), (1, 7), (1080, 1920)]


def picture(hw: tuple[int, int], seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("image_hw", "network", "expected"),
    [
        ((480, 640), SQUARE, (192, 256)),
        ((640, 480), SQUARE, (256, 192)),
        ((256, 256), SQUARE, (256, 256)),
        ((100, 77), SQUARE, (256, 197)),
        ((480, 640), NetworkInput((256, 256), 128), (128, 171)),
        ((480, 1640), NetworkInput((256, 256), 128), (75, 256)),
        ((480, 640), NetworkInput((192, 320)), (192, 320)),
    ],
    ids=["landscape", "portrait", "square", "larger", "shorter-side-decides", "longer-side-decides", "stretched"],
)
def test_size_inside_the_input(image_hw: tuple[int, int], network: NetworkInput, expected: tuple[int, int]) -> None:
    assert resized_hw(image_hw, network) == expected


def test_halving_takes_every_second_pixel() -> None:
    """Output i looks at input 2 * i exactly; with half-pixel centres it would be the mean of two pixels."""
    image = picture((8, 12))
    np.testing.assert_array_equal(resize_bilinear(image, (4, 6)), image[::2, ::2].astype(np.float32))


def test_padding_lies_below_and_right_in_its_colour() -> None:
    image = np.full((60, 120, 3), 200, np.uint8)
    result = network_image(image, NetworkInput((64, 64), 64, (1.0, 2.0, 3.0)))
    assert result.dtype == np.float32
    assert result.shape == (64, 64, 3)
    assert (result[:32] == 200).all()
    assert (result[32:] == (1.0, 2.0, 3.0)).all()


def detections() -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    return {
        "detection_boxes": np.array([[0.1, 0.2, 0.3, 0.4], [0.4, -0.1, 0.7, 0.9]], np.float32),
        "detection_classes": np.array([1, 2], np.float32),
        "detection_scores": np.array([0.9, 0.8], np.float32),
        "detection_keypoints": np.array([[[0.375, 0.5], [0.6, 1.0]], [[0.0, 0.25], [-0.1, 0.5]]], np.float32),
        "detection_keypoint_scores": np.array([[0.7, 0.6], [0.5, 0.4]], np.float32),
    }


def test_back_to_a_landscape_picture() -> None:
    """A picture of 480x640 fills 192 of 256 rows: what lies at 0.375 of the input is at half its height."""
    found = without_padding(detections(), (480, 640), SQUARE)
    np.testing.assert_allclose(found["detection_boxes"][0], [0.1 / 0.75, 0.2, 0.3 / 0.75, 0.4], rtol=1e-6)
    np.testing.assert_allclose(found["detection_boxes"][1], [0.4 / 0.75, 0.0, 0.7 / 0.75, 0.9], rtol=1e-6)
    np.testing.assert_allclose(found["detection_keypoints"][0], [[0.5, 0.5], [0.8, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(found["detection_keypoints"][1], [[0.0, 0.25], [-0.1 / 0.75, 0.5]], rtol=1e-6)
    for key in ("detection_classes", "detection_scores", "detection_keypoint_scores"):
        np.testing.assert_array_equal(found[key], detections()[key])


def test_keypoints_are_clipped_where_the_model_says_so() -> None:
    found = without_padding(detections(), (480, 640), NetworkInput((256, 256), 256, clip_keypoints=True))
    np.testing.assert_allclose(found["detection_keypoints"][1, 1], [0.0, 0.5])
    np.testing.assert_allclose(found["detection_keypoint_scores"], [[0.7, 0.6], [0.5, 0.0]])


def test_a_model_without_keypoints() -> None:
    raw = {key: value for key, value in detections().items() if "keypoint" not in key}
    assert sorted(without_padding(raw, (480, 640), SQUARE)) == sorted(raw)


@pytest.mark.odapi
@pytest.mark.parametrize("image_hw", SIZES, ids=lambda hw: f"{hw[1]}x{hw[0]}")
@pytest.mark.parametrize("resizer", ["keep_aspect", "min_side_smaller", "fixed"])
def test_the_same_numbers_as_the_od_api(image_hw: tuple[int, int], resizer: str) -> None:
    pytest.importorskip("object_detection")
    from kpt_tools.odapi import compat

    compat.activate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
        from object_detection.core import preprocessor

    image = picture(image_hw)
    tensor = tf.constant(image.astype(np.float32))
    if resizer == "fixed":
        network = NetworkInput((96, 160))
        expected, shape = preprocessor.resize_image(tensor, new_height=96, new_width=160)
    else:
        side = 128 if resizer == "keep_aspect" else 80
        network = NetworkInput((128, 128), side, (5.0, 6.0, 7.0))
        expected, shape = preprocessor.resize_to_range(
            tensor,
            min_dimension=side,
            max_dimension=128,
            pad_to_max_dimension=True,
            per_channel_pad_value=(5.0, 6.0, 7.0),
        )
    assert resized_hw(image_hw, network) == tuple(shape.numpy()[:2])
    np.testing.assert_allclose(network_image(image, network), expected.numpy(), atol=1e-3)
