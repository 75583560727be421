from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.odapi import compat, keypoint_heatmaps

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

SLOTS, CLASSES = 7, 2


@pytest.fixture(scope="module", autouse=True)
def activated() -> None:
    compat.activate()


def assigner() -> Any:
    """Of the second class, whose keypoints are the last four of seven slots."""
    from object_detection.core.target_assigner import CenterNetKeypointTargetAssigner

    return CenterNetKeypointTargetAssigner(
        stride=4, class_id=1, keypoint_indices=[3, 4, 5, 6], keypoint_std_dev=[0.5, 1.0, 1.5, 2.0]
    )


def objects(counts: tuple[int, ...]) -> dict[str, Any]:
    import tensorflow as tf

    random = np.random.default_rng(0)
    given: dict[str, list[Any]] = {"keypoints": [], "classes": [], "weights": [], "boxes": []}
    for count in counts:
        points = random.uniform(0, 1, (count, SLOTS, 2))
        points[random.random((count, SLOTS)) < 0.3] = np.nan
        corner = random.uniform(0, 0.5, (count, 2))
        given["keypoints"].append(points)
        given["classes"].append(np.eye(CLASSES)[random.integers(0, CLASSES, count)].reshape(-1, CLASSES))
        given["weights"].append(random.integers(0, 2, count))
        given["boxes"].append(np.concatenate([corner, corner + random.uniform(0.1, 0.5, (count, 2))], axis=1))
    return {f"gt_{name}_list": [tf.constant(value, tf.float32) for value in values] for name, values in given.items()}


@pytest.mark.parametrize("counts", [(12, 3), (1,), (0, 2)])
def test_the_same_values(counts: tuple[int, ...]) -> None:
    own = assigner()
    model = SimpleNamespace(_kp_params_dict={"sheep": None}, _target_assigner_dict={"sheep": own})
    given = objects(counts)
    expected = own.assign_keypoint_heatmap_targets(64, 96, **given)
    with keypoint_heatmaps.each_in_its_channel(model):
        found = own.assign_keypoint_heatmap_targets(64, 96, **given)
    assert found[0].shape == (len(counts), 16, 24, 4)
    if max(counts) > 2:
        assert float(np.max(found[0])) == 1.0
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.equal(ours, 1.0), np.equal(theirs, 1.0))  # the loss asks for just 1
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-7)  # a few roundings of 1


def test_everything_is_put_back() -> None:
    from object_detection.utils import target_assigner_utils

    own, theirs = assigner(), target_assigner_utils.coordinates_to_heatmap
    model = SimpleNamespace(_kp_params_dict={"sheep": None}, _target_assigner_dict={"sheep": own})
    with pytest.raises(TypeError), keypoint_heatmaps.each_in_its_channel(model):
        own.assign_keypoint_heatmap_targets(unknown=1)
    assert target_assigner_utils.coordinates_to_heatmap is theirs
    assert "assign_keypoint_heatmap_targets" not in vars(own)


def test_models_without_keypoints() -> None:
    with keypoint_heatmaps.each_in_its_channel(SimpleNamespace(_kp_params_dict=None)):
        pass
    with keypoint_heatmaps.each_in_its_channel(SimpleNamespace()):
        pass
