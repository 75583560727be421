"""Two looks at a picture, one of them in the mirror."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.inference.engine import ImageRgb, RawDetections
from kpt_tools.inference.flip_test import FlipTestEngine, merged, mirrored

NAMES = ("nose", "left_eye", "right_eye")
FACE = LabelMapItem(1, "face", tuple(KeypointLabel(i, name, name) for i, name in enumerate(NAMES)))
METADATA = ModelMetadata(LabelMap((FACE,)), (), (), flip_pairs=((1, 2),), input_hw=(64, 64))
HW = (100, 100)


def raw(*rows: tuple[list[float], float, list[list[float]]], classes: Sequence[int] = ()) -> dict[str, Any]:
    """Detections: box y1, x1, y2, x2; score; points y, x, all of them with the box's score."""
    return {
        "detection_boxes": np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        "detection_classes": np.array(classes or [1] * len(rows), np.float32),
        "detection_scores": np.array([score for _, score, _ in rows], np.float32),
        "detection_keypoints": np.array([points for _, _, points in rows], np.float32).reshape(-1, 3, 2),
        "detection_keypoint_scores": np.array([[score] * 3 for _, score, _ in rows], np.float32).reshape(-1, 3),
    }


POINTS = [[0.2, 0.2], [0.3, 0.1], [0.3, 0.3]]


def test_left_is_right_in_the_mirror() -> None:
    found = mirrored(raw(([0.1, 0.0, 0.5, 0.4], 0.9, POINTS)), [0, 2, 1])
    np.testing.assert_allclose(found["detection_boxes"], [[0.1, 0.6, 0.5, 1.0]])
    np.testing.assert_allclose(found["detection_keypoints"], [[[0.2, 0.8], [0.3, 0.7], [0.3, 0.9]]])


def test_a_pair_is_averaged() -> None:
    moved = [[y, x + 0.02] for y, x in POINTS]
    found = merged(raw(([0.1, 0.0, 0.5, 0.4], 0.9, POINTS)), raw(([0.1, 0.02, 0.5, 0.44], 0.7, moved)), HW)
    np.testing.assert_allclose(found["detection_boxes"], [[0.1, 0.01, 0.5, 0.42]])
    np.testing.assert_allclose(found["detection_scores"], [0.8])
    np.testing.assert_allclose(found["detection_keypoints"][0], np.add(POINTS, [0, 0.01]), rtol=1e-5)
    np.testing.assert_allclose(found["detection_keypoint_scores"], [[0.8] * 3])


def test_points_apart_are_not_averaged() -> None:
    other = [POINTS[0], POINTS[2], POINTS[1]]  # the second look has the eyes exchanged
    box = [0.1, 0.0, 0.5, 0.4]
    found = merged(raw((box, 0.9, POINTS)), raw((box, 0.7, other)), HW)
    np.testing.assert_allclose(found["detection_keypoints"][0], POINTS)
    np.testing.assert_allclose(found["detection_keypoint_scores"], [[0.8, 0.45, 0.45]])


def test_what_one_look_missed_counts_half() -> None:
    box, far = [0.1, 0.0, 0.5, 0.4], [0.6, 0.6, 0.9, 0.9]
    found = merged(raw((box, 0.5, POINTS)), raw((far, 0.8, POINTS), (box, 0.7, POINTS)), HW)
    np.testing.assert_allclose(found["detection_scores"], [0.6, 0.4])
    np.testing.assert_allclose(found["detection_boxes"], [box, far])


def test_other_classes_are_other_objects() -> None:
    box = [0.1, 0.0, 0.5, 0.4]
    found = merged(raw((box, 0.8, POINTS)), raw((box, 0.6, POINTS), classes=[2]), HW)
    np.testing.assert_allclose(found["detection_scores"], [0.4, 0.3])


def test_the_best_chooses_first_and_each_partner_is_taken_once() -> None:
    box, near = [0.1, 0.0, 0.5, 0.4], [0.1, 0.05, 0.5, 0.45]
    found = merged(raw((near, 0.5, POINTS), (box, 0.9, POINTS)), raw((box, 0.7, POINTS)), HW)
    np.testing.assert_allclose(found["detection_scores"], [0.8, 0.25])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (1, 0)])
def test_nothing_found(first: int, second: int) -> None:
    row = ([0.1, 0.0, 0.5, 0.4], 0.8, POINTS)
    found = merged(raw(*[row] * first), raw(*[row] * second), HW)
    np.testing.assert_allclose(found["detection_scores"], [0.4] * (first + second))


class Biased:
    """Finds the bright pixel, always 4 pixels too far to the right."""

    batch_size, calls = 2, 3
    metadata = METADATA

    def detect(self, image: ImageRgb) -> RawDetections:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        rows = []
        for image in images:
            y, x = np.unravel_index(image.sum(axis=2).argmax(), image.shape[:2])
            height, width = image.shape[:2]
            place = [(y + 0.5) / height, (x + 4.5) / width]
            box = [place[0] - 0.3, place[1] - 0.3, place[0] + 0.3, place[1] + 0.3]
            rows.append(raw((box, 0.8, [place] * 3)))
        return rows


def test_an_error_to_one_side_is_gone() -> None:
    pictures = [np.zeros((80, 100, 3), np.uint8), np.zeros((60, 120, 3), np.uint8)]
    pictures[0][20, 30] = pictures[1][40, 70] = 255
    engine = FlipTestEngine(Biased())
    found = engine.detect_batch(pictures)
    np.testing.assert_allclose(found[0]["detection_keypoints"][0], [[20.5 / 80, 30.5 / 100]] * 3, rtol=1e-5)
    np.testing.assert_allclose(found[1]["detection_keypoints"][0], [[40.5 / 60, 70.5 / 120]] * 3, rtol=1e-5)
    np.testing.assert_allclose(engine.detect(pictures[0])["detection_scores"], [0.8])
    assert (engine.batch_size, engine.calls) == (2, 3)
    assert engine.metadata is METADATA


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        FlipTestEngine(Biased()).detect(np.zeros((3, 4), np.uint8))
