"""Turned pictures, boxes and keypoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kpt_tools.odapi import compat

pytest.importorskip("object_detection")
# The OD API's own modules warn at import.
pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

HEIGHT, WIDTH = 90, 120


def sample(*centres_yx: tuple[int, int]) -> dict[str, Any]:
    """Discs of radius 8, each with a box, a bright dot as keypoint 0, and no keypoint 1."""
    import tensorflow as tf

    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    boxes, points = [], []
    for y, x in centres_yx:
        image[(rows - y) ** 2 + (columns - x) ** 2 < 64] = (90, 90, 90)
        image[y - 5 : y - 2, x - 1 : x + 2] = (255, 90, 90)
        boxes.append([(y - 8) / HEIGHT, (x - 8) / WIDTH, (y + 8) / HEIGHT, (x + 8) / WIDTH])
        points.append([[(y - 3.5) / HEIGHT, (x + 0.5) / WIDTH], [np.nan, np.nan]])
    visible = tf.constant([[True, False]] * len(centres_yx), tf.bool, [len(centres_yx), 2])
    return {
        "image": tf.constant(image),
        "groundtruth_boxes": tf.constant(boxes, tf.float32, [len(centres_yx), 4]),
        "groundtruth_keypoints": tf.constant(points, tf.float32, [len(centres_yx), 2, 2]),
        "groundtruth_keypoint_visibilities": visible,
        "groundtruth_area": tf.constant([200.0] * len(centres_yx)),
        "filename": tf.constant("a.jpg"),
    }


def turned(tensors: dict[str, Any], degrees: float) -> dict[str, Any]:
    compat.activate()
    from kpt_tools.odapi.rotation import rotate

    return {name: value.numpy() for name, value in rotate(tensors, degrees).items()}


def seen(image: np.ndarray, mask: np.ndarray) -> tuple[float, float, float, float]:
    """The box of what a mask shows, as shares of the picture."""
    rows, columns = np.nonzero(mask)
    return rows.min() / HEIGHT, columns.min() / WIDTH, (rows.max() + 1) / HEIGHT, (columns.max() + 1) / WIDTH


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_keypoints_stay_on_what_they_mark(seed: int) -> None:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    found = turned(sample((40, 70)), 180.0)
    image = found["image"]
    assert image.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(found["groundtruth_boxes"][0], seen(image, image[..., 1] > 45), atol=1.5 / HEIGHT)
    rows, columns = np.nonzero((image[..., 0] > 170) & (image[..., 1] < 120))
    dot = (rows.mean() + 0.5) / HEIGHT, (columns.mean() + 0.5) / WIDTH
    np.testing.assert_allclose(found["groundtruth_keypoints"][0, 0], dot, atol=0.8 / HEIGHT)
    assert np.isnan(found["groundtruth_keypoints"][0, 1]).all()
    assert found["groundtruth_keypoint_visibilities"].tolist() == [[True, False]]
    assert found["filename"] == b"a.jpg"
    zoom = (found["groundtruth_boxes"][0, 2] - found["groundtruth_boxes"][0, 0]) * HEIGHT / 16
    assert found["groundtruth_area"][0] == pytest.approx(200 * zoom**2, rel=1e-3)


def test_angles_are_within_the_limit_and_differ() -> None:
    found = [turned(sample((40, 90)), 20.0)["groundtruth_keypoints"][0, 0] for _ in range(40)]
    places = (np.array(found) - 0.5) * (HEIGHT, WIDTH)
    before = (np.array([36.5 / HEIGHT, 90.5 / WIDTH]) - 0.5) * (HEIGHT, WIDTH)
    angles = np.degrees(np.arctan2(places[:, 0], places[:, 1]) - np.arctan2(*before))
    assert np.abs(angles).max() < 20.1
    assert angles.std() > 5


def test_no_object_leaves_the_picture() -> None:
    corners = [(8, 8), (8, WIDTH - 8), (HEIGHT - 8, 8), (HEIGHT - 8, WIDTH - 8)]
    for _ in range(10):
        found = turned(sample(*corners), 180.0)
        boxes = found["groundtruth_boxes"]
        assert (boxes >= 0).all()
        assert (boxes <= 1).all()
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * HEIGHT * WIDTH
        assert areas.min() > 0.8 * 0.64 * 256
        visible = found["groundtruth_keypoint_visibilities"][:, 0]
        assert (np.isfinite(found["groundtruth_keypoints"][:, 0]).all(axis=1) == visible).all()


def test_a_picture_without_objects_or_keypoints() -> None:
    empty = sample()
    assert turned(empty, 45.0)["groundtruth_boxes"].shape == (0, 4)
    boxes_only = {name: value for name, value in sample((40, 70)).items() if "keypoint" not in name}
    assert turned(boxes_only, 45.0).keys() == boxes_only.keys()


def test_an_ellipse_is_turned_not_its_box() -> None:
    compat.activate()
    import tensorflow as tf

    from kpt_tools.odapi import rotation

    size = tf.constant([100.0, 100.0])
    matrices = rotation._matrices(tf.constant([np.pi / 2, np.pi / 4], tf.float32), tf.ones(2))
    box = tf.constant([[0.4, 0.2, 0.6, 0.8]])
    quarter, eighth = rotation._boxes(box, None, matrices, size)
    np.testing.assert_allclose(quarter, [[0.2, 0.4, 0.8, 0.6]], atol=1e-6)
    reach = np.sqrt((0.1**2 + 0.3**2) / 2)
    expected = [[0.5 - reach, 0.5 - reach, 0.5 + reach, 0.5 + reach]]
    np.testing.assert_allclose(eighth, expected, atol=1e-6)


def test_boxes_from_keypoints_are_made_from_the_turned_keypoints() -> None:
    compat.activate()
    import tensorflow as tf

    from kpt_tools.odapi import rotation

    def box_of(points: np.ndarray, margin: float) -> np.ndarray:
        """In shares of a picture of 100 px; the margin is a share of the longer side of the extent."""
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
        pad = margin * (high - low).max()
        return np.concatenate([low - pad, high + pad]) / 100

    points = np.array([[30.0, 20.0], [50.0, 70.0], [45.0, 40.0], [np.nan, np.nan]])
    size = tf.constant([100.0, 100.0])
    for angle in (0.3, 2.0, -1.2):
        matrices = rotation._matrices(tf.constant([angle], tf.float32), tf.constant([1.1]))
        moved = (points - 50) @ matrices[0].numpy().T + 50
        before = tf.constant(box_of(points, 0.15)[np.newaxis], tf.float32)
        found = rotation._boxes(before, tf.constant(points[np.newaxis] / 100, tf.float32), matrices, size)
        np.testing.assert_allclose(found[0], [box_of(moved, 0.15)], atol=1e-5)


def test_margins_of_drawn_boxes_turn_with_the_object() -> None:
    compat.activate()
    import tensorflow as tf

    from kpt_tools.odapi import rotation

    size = tf.constant([100.0, 100.0])
    points = tf.constant([[[0.4, 0.3], [0.6, 0.7], [0.5, 0.5]]])
    box = tf.constant([[0.35, 0.29, 0.62, 0.77]])  # margins: 5 above, 1 left, 2 below, 7 right
    matrices = rotation._matrices(tf.constant([0.0, np.pi / 2], tf.float32), tf.ones(2))
    still, quarter = rotation._boxes(box, points, matrices, size)
    np.testing.assert_allclose(still, box, atol=1e-6)
    # What was right is now at the top or bottom, as the points say.
    moved = rotation._points(tf.constant([[[0.35, 0.29], [0.62, 0.77]]]), matrices[1], size).numpy()[0]
    expected = np.concatenate([moved.min(axis=0), moved.max(axis=0)])
    np.testing.assert_allclose(quarter, [expected], atol=1e-6)
    two = tf.constant([[[0.4, 0.3], [0.6, 0.7], [np.nan, np.nan]]])
    np.testing.assert_allclose(rotation._boxes(box, two, matrices, size), rotation._boxes(box, None, matrices, size))


@pytest.mark.parametrize(
    ("steps", "degrees"),
    [
        (["random_horizontal_flip"], 15.0),
        (["random_horizontal_flip", "random_vertical_flip", "random_rotation90"], 45.0),
        (["random_horizontal_flip", "random_vertical_flip"], 180.0),
    ],
)
def test_every_angle_where_objects_lie_at_any(steps: list[str], degrees: float) -> None:
    from kpt_tools.odapi.rotation import default_degrees

    assert default_degrees(steps) == degrees
