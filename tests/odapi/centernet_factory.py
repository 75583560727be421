"""A small CenterNet of the OD API with three classes, two of them with keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.entities import Category
from kpt_tools.odapi import pipeline_config
from kpt_tools.pipeline.label_map import format_label_map, label_map_of

SIDE, NAMES = 64, {"mouse": ("snout", "left_ear", "right_ear"), "sheep": ("head", "tail"), "box": ()}
_LOSS = """loss { localization_loss { l1_localization_loss {} }
  classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } } }"""
_HEADS = ("heatmap_head_params", "offset_head_params", "regress_head_params")


def model_of(
    folder: Path,
    per_keypoint: bool,
    heads: str = "num_filters: 8 kernel_sizes: 3",
    *,
    side: int = SIDE,
    more: str = "",
    more_of_tasks: str = "",
) -> Any:
    """Build it, without values of its variables.

    Args:
        folder: for its label map.
        per_keypoint: whether the cells around a keypoint have offsets of their own.
        heads: parameters of every head.
        side: height and width of the input, in pixels.
        more: further fields of center_net.
        more_of_tasks: further fields of each keypoint_estimation_task.
    """
    from object_detection.builders import model_builder

    categories = [Category(number, name, points) for number, (name, points) in enumerate(NAMES.items(), start=1)]
    path = folder / "label_map.pbtxt"
    path.write_text(format_label_map(label_map_of(categories)), encoding="utf-8")
    tasks = "".join(
        f"""keypoint_estimation_task {{ task_name: "{name}" keypoint_class_name: "{name}" {_LOSS}
        per_keypoint_offset: {str(per_keypoint).lower()} offset_peak_radius: {3 if per_keypoint else 0}
        {" ".join(f"{head} {{ {heads} }}" for head in _HEADS)} {more_of_tasks}
        {" ".join(f'keypoint_label_to_std {{ key: "{name}/{point}" value: 1 }}' for point in points)} }}"""
        for name, points in NAMES.items()
        if points
    )
    text = f"""model {{ center_net {{ num_classes: {len(NAMES)}
      feature_extractor {{ type: "hourglass_10" channel_means: [104, 114, 110] channel_stds: [70, 69, 73] }}
      image_resizer {{ fixed_shape_resizer {{ height: {side} width: {side} }} }}
      object_detection_task {{ task_loss_weight: 1 localization_loss {{ l1_localization_loss {{}} }}
        scale_head_params {{ {heads} }} offset_head_params {{ {heads} }} }}
      object_center_params {{ max_box_predictions: 10 center_head_params {{ {heads} }}
        classification_loss {{ penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }} }} }}
      keypoint_label_map_path: "{path}" {more} {tasks} }} }}"""
    return model_builder.build(pipeline_config.parse(text, "test").model, is_training=True)
