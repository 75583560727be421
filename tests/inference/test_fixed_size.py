from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.config.network_input import NetworkInput, write_network_input
from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.fixed_size import FixedSizeEngine, Network

Array = np.ndarray[Any, Any]


def export(folder: Path) -> Path:
    """An exported folder with a description, and no model in it; the path that the model would have."""
    patch = LabelMapItem(1, "patch", (KeypointLabel(0, "top", "top"),))
    write_metadata(folder, ModelMetadata(LabelMap((patch,)), (), (0.05,), input_hw=(64, 64)))
    model = folder / "onnx" / "model_float32.onnx"
    write_network_input(model, NetworkInput((64, 64), 64))
    return model


def brightest(image: Array) -> Mapping[str, Array]:
    """A network that finds the brightest pixel of its input."""
    assert image.shape == (1, 64, 64, 3)
    assert image.dtype == np.float32
    y, x = np.unravel_index(image[0].sum(axis=2).argmax(), (64, 64))
    point = np.array([[[[y / 64, x / 64]]]], np.float32)
    return {
        "detection_boxes": np.array([[[0.0, 0.0, 0.25, 1.0]]], np.float32),
        "detection_classes": np.ones((1, 1), np.float32),
        "detection_scores": np.full((1, 1), 0.9, np.float32),
        "detection_keypoints": point,
        "detection_keypoint_scores": np.full((1, 1, 1), 0.8, np.float32),
        "num_detections": np.ones(1, np.float32),
    }


def engine(folder: Path, network: Network = brightest) -> FixedSizeEngine:
    return FixedSizeEngine(folder, export(folder), lambda path: network)


def test_relative_to_the_picture(tmp_path: Path) -> None:
    image = np.zeros((120, 240, 3), np.uint8)
    image[60:64, 180:184] = 255
    raw = engine(tmp_path).detect(image)
    assert sorted(raw) == [
        "detection_boxes",
        "detection_classes",
        "detection_keypoint_scores",
        "detection_keypoints",
        "detection_scores",
    ]
    np.testing.assert_allclose(raw["detection_boxes"], [[0.0, 0.0, 0.5, 1.0]])
    np.testing.assert_allclose(raw["detection_keypoints"], [[[0.5, 0.75]]])


def test_several_pictures_of_different_sizes(tmp_path: Path) -> None:
    wide, high = np.zeros((20, 40, 3), np.uint8), np.zeros((80, 40, 3), np.uint8)
    boxes = [raw["detection_boxes"].tolist() for raw in engine(tmp_path).detect_batch([wide, high])]
    assert boxes == [[[0.0, 0.0, 0.5, 1.0]], [[0.0, 0.0, 0.25, 1.0]]]
    assert engine(tmp_path).detect_batch([]) == []


def test_a_failure_of_one_of_several_pictures_comes_through(tmp_path: Path) -> None:
    def fails_on_white(image: Array) -> Mapping[str, Array]:
        if image.min() == 255:
            raise EngineError("white is too much")
        return brightest(image)

    detector = FixedSizeEngine(tmp_path, export(tmp_path), lambda path: fails_on_white, streams=2)
    images = [np.full((64, 64, 3), grey, np.uint8) for grey in (0, 255, 0)]
    with pytest.raises(EngineError, match="white is too much"):
        detector.detect_batch(images)
    assert len(detector.detect_batch(images[:1])) == 1


def test_refuses_other_arrays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected \[H, W, 3\] uint8, got \[4, 4\] float64"):
        engine(tmp_path).detect(np.zeros((4, 4)))


def test_an_output_that_is_missing(tmp_path: Path) -> None:
    def boxes_only(image: Array) -> Mapping[str, Array]:
        return {key: value for key, value in brightest(image).items() if "keypoint" not in key}

    with pytest.raises(EngineError, match=r"model_float32\.onnx: the model gives no detection_keypoints, detection_"):
        engine(tmp_path, boxes_only).detect(np.zeros((64, 64, 3), np.uint8))


def test_nothing_is_loaded_where_the_description_is_missing(tmp_path: Path) -> None:
    model = export(tmp_path)
    model.with_suffix(".json").unlink()

    def load(path: Path) -> Network:
        pytest.fail("loaded")

    with pytest.raises(ConfigError, match="expected a description of the input"):
        FixedSizeEngine(tmp_path, model, load)
