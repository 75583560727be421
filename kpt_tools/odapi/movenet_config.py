"""The pipeline.config of MoveNet Lightning as a model of the OD API."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.odapi import pipeline_config
from kpt_tools.odapi.movenet_map import SCORE_DISTANCE_OFFSET
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.pipeline.coco_classes import PERSON_SIGMAS, PERSON_SKELETON, person_label_map
from kpt_tools.pipeline.flips import find_flips
from kpt_tools.pipeline.render import PipelineInputs, render
from kpt_tools.pipeline.resources import load_template
from kpt_tools.pipeline.schedule import plan

TEMPLATE = "centernet_mobilenetv2_fpn_256_kpts"
"""The template of the same network, which models that start from MoveNet are trained with."""

INPUT_PX = 192
STRIDE = 4
_RECORDS = "PATH_TO_BE_CONFIGURED"
"""What the zoo's configs have where the training records stood."""

_MOST_PEOPLE = 6


def movenet_config(label_map: Path) -> Message:
    """The template's network at MoveNet's input size, without heads for boxes, decoding as MoveNet does.

    Without an ``object_detection_task`` the OD API gives each person the box around its points.

    Args:
        label_map: path of COCO's person, as written into the config.
    """
    template = load_template(TEMPLATE)
    names = person_label_map()
    inputs = PipelineInputs(
        label_map=names,
        skeleton=PERSON_SKELETON,
        sigmas=PERSON_SIGMAS,
        flips=find_flips(names),
        schedule=plan(1, template.info.batch_size, template.info.reference, steps=template.info.min_steps),
        label_map_path=str(label_map),
        train_records=_RECORDS,
    )
    message = pipeline_config.parse(render(template, inputs), f"template {template.name}, filled")
    center_net = message.model.center_net
    center_net.ClearField("object_detection_task")
    resizer = center_net.image_resizer.keep_aspect_ratio_resizer
    resizer.min_dimension = resizer.max_dimension = INPUT_PX
    center_net.object_center_params.max_box_predictions = _MOST_PEOPLE
    _decode_as_movenet(center_net.keypoint_estimation_task[0])
    return message


def _decode_as_movenet(task: Message) -> None:
    """The point with the greatest score / (distance to the regressed point + 1.8), in cells of 4 px, however weak.

    It is refined with the offset of its own cell alone, hence no radius.
    """
    task.candidate_ranking_mode = "score_distance_ratio"
    task.score_distance_offset = SCORE_DISTANCE_OFFSET
    task.keypoint_candidate_score_threshold = 0.0
    task.num_candidates_per_keypoint = (INPUT_PX // STRIDE) ** 2
    task.peak_max_pool_kernel_size = 1
    task.ClearField("offset_peak_radius")
    task.ClearField("box_scale")
