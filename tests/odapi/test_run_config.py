from __future__ import annotations

import pytest

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import pipeline_config, run_config

pytest.importorskip("object_detection")
pytestmark = pytest.mark.odapi

CONFIG = """
model {{ center_net {{
  num_classes: 1
  image_resizer {{ keep_aspect_ratio_resizer {{ min_dimension: 256 max_dimension: 256 pad_to_max_dimension: true }} }}
  keypoint_label_map_path: "map.pbtxt"
  keypoint_estimation_task {{ task_name: "t" keypoint_class_name: "{name}" }}
}} }}
train_config {{
  num_steps: 600
  data_augmentation_options {{ random_horizontal_flip {{
    keypoint_flip_permutation: 1 keypoint_flip_permutation: 0 }} }}
  optimizer {{ adam_optimizer {{ learning_rate {{
    cosine_decay_learning_rate {{ total_steps: 600 warmup_steps: 60 }} }} }} }}
}}
train_input_reader {{
  label_map_path: "map.pbtxt" num_keypoints: {num_keypoints}
  tf_record_input_reader {{ input_path: "{folder}/train.record-?????-of-00002" }} }}
eval_config {{
  keypoint_edge {{ start: 0 end: 1 }}
  parameterized_metric {{ coco_keypoint_metrics {{
    class_label: "mouse" keypoint_label_to_sigmas {{ key: "left" value: 0.1 }} }} }} }}
eval_input_reader {{
  label_map_path: "map.pbtxt" num_keypoints: 2
  tf_record_input_reader {{ input_path: "{folder}/val.record-?????-of-00001" }} }}
"""


def label_map() -> LabelMap:
    points = (KeypointLabel(0, "left", "left"), KeypointLabel(1, "right", "right"))
    return LabelMap((LabelMapItem(1, "mouse", points),))


def parsed(folder, *, name: str = "mouse", num_keypoints: int = 2):
    return pipeline_config.parse(CONFIG.format(folder=folder, name=name, num_keypoints=num_keypoints), "x.config")


def write_records(folder, *names: str) -> None:
    for name in names or (
        "train.record-00000-of-00002",
        "train.record-00001-of-00002",
        "val.record-00000-of-00001",
    ):
        (folder / name).write_bytes(b"")


def check(message) -> None:
    run_config.check(message, run_config.inputs_of(message, "x.config"), label_map(), "x.config")


def test_a_good_config_passes(tmp_path) -> None:
    write_records(tmp_path)
    check(parsed(tmp_path))


@pytest.mark.parametrize(
    ("records", "changes", "match"),
    [
        pytest.param(("val.record-00000-of-00001",), {}, "no record matches '.*train.record", id="no-records"),
        pytest.param(
            ("train.record-00000-of-00002", "val.record-00000-of-00001"),
            {},
            "matches 1 shards whose names say 00002",
            id="lost-shard",
        ),
        pytest.param(
            (), {"num_keypoints": 5}, r"train_input_reader.num_keypoints is 5; .* has 2 keypoints", id="sum-k"
        ),
        pytest.param((), {"name": "Mouse"}, r"'Mouse' is no class with keypoints .*'mouse' \(case counts\)", id="case"),
    ],
)
def test_refuses_what_would_train_nonsense(tmp_path, records, changes, match: str) -> None:
    write_records(tmp_path, *records)
    with pytest.raises(ConfigError, match=match):
        check(parsed(tmp_path, **changes))


def test_refuses_a_wrong_number_of_classes(tmp_path) -> None:
    write_records(tmp_path)
    message = parsed(tmp_path)
    message.model.center_net.num_classes = 3
    with pytest.raises(ConfigError, match=r"num_classes is 3; .* has 1 classes"):
        check(message)


def test_refuses_a_missing_fine_tune_checkpoint(tmp_path) -> None:
    write_records(tmp_path)
    message = parsed(tmp_path)
    message.train_config.fine_tune_checkpoint = str(tmp_path / "zoo" / "ckpt-0")
    with pytest.raises(ConfigError, match=r"fine_tune_checkpoint .*ckpt-0 does not exist"):
        check(message)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("model { ssd { } }", "model is 'ssd', expected center_net", id="other-model"),
        pytest.param("model { center_net { } }", "train_input_reader has no tf_record_input_reader", id="no-records"),
    ],
)
def test_refuses_other_configs(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        run_config.inputs_of(pipeline_config.parse(text, "x.config"), "x.config")


def test_resolve_makes_paths_absolute_and_stretches_the_schedule(tmp_path) -> None:
    message = parsed("records")
    resolved = run_config.resolve(message, label_map=tmp_path / "map.pbtxt", steps=200, fresh=False)
    cosine = resolved.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert (resolved.train_config.num_steps, cosine.total_steps, cosine.warmup_steps) == (200, 200, 20)
    assert resolved.train_input_reader.tf_record_input_reader.input_path[0].startswith("/")
    assert resolved.eval_input_reader[0].label_map_path == str(tmp_path / "map.pbtxt")
    assert message.train_config.num_steps == 600


def test_resolve_fresh_drops_the_checkpoint(tmp_path) -> None:
    message = parsed(tmp_path)
    message.train_config.fine_tune_checkpoint = "zoo/ckpt-0"
    resolved = run_config.resolve(message, label_map=tmp_path / "m", steps=None, fresh=True)
    assert not resolved.train_config.fine_tune_checkpoint
    kept = run_config.resolve(message, label_map=tmp_path / "m", steps=None, fresh=False)
    assert kept.train_config.fine_tune_checkpoint.endswith("/zoo/ckpt-0")


def test_metadata_comes_from_the_config(tmp_path) -> None:
    found = run_config.metadata_of(parsed(tmp_path), label_map())
    assert found.skeleton == ((0, 1),)
    assert found.sigmas == (pytest.approx(0.1), 0.05)
    assert found.flip_pairs == ((0, 1),)
    assert found.input_hw == (256, 256)


@pytest.mark.parametrize(
    ("extractor", "separable"),
    [("mobilenet_v2_fpn_sep_conv", True), ("mobilenet_v2_fpn", False), ("hourglass_10", False)],
)
def test_separable_convolutions_where_the_type_is_named_for_them(tmp_path, extractor: str, separable: bool) -> None:
    message = parsed(tmp_path)
    message.model.center_net.feature_extractor.type = extractor
    resolved = run_config.resolve(message, label_map=tmp_path / "m", steps=None, fresh=False)
    assert resolved.model.center_net.feature_extractor.use_separable_conv is separable
