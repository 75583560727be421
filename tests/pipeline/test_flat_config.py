from __future__ import annotations

from kpt_tools.pipeline.flat_config import flat_fields

TEXT = """model {
  center_net {
    num_classes: 2
    feature_extractor {
      type: "mobilenet_v2_fpn"
      channel_means: 123.5
      channel_means: 116.5
    }
    keypoint_estimation_task {
      task_name: "a { b"
    }
    keypoint_estimation_task {
      task_name: "c"
    }
  }
}
# a comment
train_config {
  batch_size: 8
  data_augmentation_options {
    random_adjust_brightness {
    }
  }
}
"""


def test_paths_and_values() -> None:
    assert flat_fields(TEXT) == {
        "model.center_net.num_classes": "2",
        "model.center_net.feature_extractor.type": "mobilenet_v2_fpn",
        "model.center_net.feature_extractor.channel_means": "123.5, 116.5",
        "model.center_net.keypoint_estimation_task.task_name": "a { b",
        "model.center_net.keypoint_estimation_task[1].task_name": "c",
        "train_config.batch_size": "8",
        "train_config.data_augmentation_options.random_adjust_brightness": "{}",
    }


def test_nothing_and_unbalanced_text() -> None:
    assert flat_fields("") == {}
    assert flat_fields("}\n}\na: 1\nb {\nc: 2") == {"a": "1", "b.c": "2"}


def test_every_template_has_its_batch_size(repository) -> None:
    templates = sorted((repository / "pipeline_templates").glob("*.config"))
    assert len(templates) > 3
    for template in templates:
        assert "train_config.batch_size" in flat_fields(template.read_text(encoding="utf-8")), template.name
