from __future__ import annotations

import functools
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kpt_tools.config.network_input import NetworkInput
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import fixed_graph, pipeline_config

pytest.importorskip("object_detection")
pytestmark = pytest.mark.odapi

KEEP_ASPECT = "keep_aspect_ratio_resizer {{ min_dimension: {} max_dimension: {} pad_to_max_dimension: true {} }}"
SQUARE = KEEP_ASPECT.format(256, 256, "")


def config(resizer: str, tasks: str = "") -> Any:
    return pipeline_config.parse(
        f"model {{ center_net {{ num_classes: 1 image_resizer {{ {resizer} }} {tasks} }} }}", "test"
    )


def task(name: str, clip: bool) -> str:
    return f'keypoint_estimation_task {{ task_name: "{name}" clip_out_of_frame_keypoints: {str(clip).lower()} }}'


@pytest.mark.parametrize(
    ("resizer", "tasks", "expected"),
    [
        (SQUARE, "", NetworkInput((256, 256), 256)),
        (
            KEEP_ASPECT.format(384, 512, "per_channel_pad_value: [1.0, 2.0, 3.5]"),
            "",
            NetworkInput((512, 512), 384, (1.0, 2.0, 3.5)),
        ),
        ("fixed_shape_resizer { height: 192 width: 320 }", "", NetworkInput((192, 320))),
        (SQUARE, task("a", True), NetworkInput((256, 256), 256, clip_keypoints=True)),
        (SQUARE, task("a", True) + task("b", True), NetworkInput((256, 256), 256, clip_keypoints=True)),
        (SQUARE, task("a", True) + task("b", False), NetworkInput((256, 256), 256)),
    ],
    ids=["square", "shorter-side", "stretched", "clipped", "all-clipped", "not-all-clipped"],
)
def test_input_of_a_config(resizer: str, tasks: str, expected: NetworkInput) -> None:
    assert fixed_graph.network_input_of(config(resizer, tasks), "test") == expected


@pytest.mark.parametrize(
    ("resizer", "match"),
    [
        ("identity_resizer {}", "identity_resizer; only one with a fixed size can be converted"),
        ("keep_aspect_ratio_resizer { min_dimension: 256 max_dimension: 256 }", "pad_to_max_dimension is off"),
        (KEEP_ASPECT.format(256, 256, "resize_method: AREA"), "resize_method is not BILINEAR"),
        ("fixed_shape_resizer { height: 8 width: 8 convert_to_grayscale: true }", "convert_to_grayscale is on"),
    ],
    ids=["any-size", "no-padding", "other-method", "grey"],
)
def test_what_cannot_be_converted(resizer: str, match: str) -> None:
    with pytest.raises(ConfigError, match=f"^test: .*{match}"):
        fixed_graph.network_input_of(config(resizer), "test")


def test_fixed_config() -> None:
    message = config(SQUARE, task("a", True))
    fixed = fixed_graph.fixed_config(message, NetworkInput((256, 192), 192), Path("label_map.pbtxt"))
    resizer = fixed.model.center_net.image_resizer
    assert resizer.WhichOneof("image_resizer_oneof") == "fixed_shape_resizer"
    assert (resizer.fixed_shape_resizer.height, resizer.fixed_shape_resizer.width) == (256, 192)
    assert not fixed.model.center_net.keypoint_estimation_task[0].clip_out_of_frame_keypoints
    assert fixed.model.center_net.keypoint_label_map_path == "label_map.pbtxt"
    assert message == config(SQUARE, task("a", True)), "the original is left alone"


def test_keypoints_of_several_classes_are_those_of_the_od_api() -> None:
    """Random maps, three classes, two of them with keypoints whose slots are mixed; some detections are empty."""
    from kpt_tools.odapi import compat

    compat.activate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
        from object_detection.meta_architectures import center_net_meta_arch as arch

    meta = arch.CenterNetMetaArch
    params = functools.partial(
        arch.KeypointEstimationParams,
        keypoint_labels=None,
        classification_loss=None,
        localization_loss=None,
        num_candidates_per_keypoint=20,
        keypoint_candidate_score_threshold=0.6,
        candidate_ranking_mode="score_scaled_distance_ratio",
    )
    tasks = {
        "dog": params(task_name="dog", class_id=0, keypoint_indices=[0, 3], keypoint_std_dev=[1.0, 1.0]),
        "cat": params(task_name="cat", class_id=2, keypoint_indices=[1, 2, 4], keypoint_std_dev=[1.0, 1.0, 1.0]),
    }
    model = SimpleNamespace(_kp_params_dict=tasks, _num_classes=3)
    for name in ("_get_instance_indices", "_postprocess_keypoints_for_class_and_image"):
        setattr(model, name, functools.partial(getattr(meta, name), model))
    random = np.random.default_rng(3)
    maps = {
        f"{task}/keypoint/{head}": [tf.constant(random.normal(0, 2, (1, 16, 16, channels)), tf.float32)]
        for task, count in (("dog", 2), ("cat", 3))
        for head, channels in (("heatmap", count), ("offset", 2), ("regression", 2 * count))
    }
    classes = tf.constant([[0, 2, 1, 2, 0, 0]])
    y, x = (tf.constant(random.integers(0, 16, (1, 6)), tf.int32) for _ in range(2))
    corner = random.uniform(0, 8, (1, 6, 2))
    boxes = tf.constant(np.concatenate([corner, corner + random.uniform(2, 8, (1, 6, 2))], 2), tf.float32)
    arguments = (maps, classes, y, x, boxes, tf.constant([5]))
    points, scores = meta._postprocess_keypoints_multi_class(model, *arguments)
    mine, my_scores = fixed_graph._keypoints_of_all_classes(model, *arguments)
    assert mine.shape == (1, 6, 5, 2)
    assert np.count_nonzero(scores) == 3 * 2 - 2 + 2 * 3, "five valid detections, one of a class without keypoints"
    np.testing.assert_array_equal(mine, points)
    np.testing.assert_array_equal(my_scores, scores)
