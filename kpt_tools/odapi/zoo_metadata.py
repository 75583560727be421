"""What a model of the TF2 detection zoo knows about its objects, from its pipeline.config.

The zoo's archives have no label map. Their models know COCO's 90 class numbers or only people, and the 17 keypoints of
people.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kpt_tools.entities import LabelMap, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import pipeline_config, run_config
from kpt_tools.odapi.known_names import known_label_map
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.odapi.transfer_names import CONFIG_NAME, LABEL_MAP_NAME
from kpt_tools.pipeline.coco_classes import PERSON_SIGMAS, PERSON_SKELETON, ZOO_CLASSES
from kpt_tools.pipeline.flips import find_flips
from kpt_tools.pipeline.label_map import read_label_map


def zoo_metadata(folder: Path) -> ModelMetadata:
    """Classes, keypoints, skeleton, sigmas and flip pairs of a model whose folder has only a pipeline.config.

    A ``label_map.pbtxt`` in the folder counts; without one, a model with COCO's classes or people is described as such.

    Raises:
        ConfigError: the config is missing, damaged or not that of a CenterNet, or the names of its classes are unknown.
        DataError: the label map is damaged.
    """
    path = folder / CONFIG_NAME
    config = pipeline_config.read(path)
    kind = config.model.WhichOneof("model")
    if kind != "center_net":
        raise ConfigError(
            f"{path}: its model is '{kind}', expected center_net. Choose a CenterNet; see kpt-tools models."
        )
    if (folder / LABEL_MAP_NAME).is_file():
        return run_config.metadata_of(config, read_label_map(folder / LABEL_MAP_NAME))
    label_map = _label_map(config, path)
    metadata = run_config.metadata_of(config, label_map)
    if not label_map.num_keypoints:
        return replace(metadata, skeleton=(), sigmas=(), flip_pairs=())
    return replace(
        metadata,
        skeleton=metadata.skeleton or PERSON_SKELETON,
        sigmas=metadata.sigmas if config.eval_config.parameterized_metric else PERSON_SIGMAS,
        flip_pairs=metadata.flip_pairs or find_flips(label_map).pairs,
    )


def _label_map(config: Message, path: Path) -> LabelMap:
    label_map = known_label_map(config)
    if label_map is not None:
        return label_map
    center_net = config.model.center_net
    names = ", ".join(f"'{task.keypoint_class_name}'" for task in center_net.keypoint_estimation_task) or "none"
    raise ConfigError(
        f"{path}: {center_net.num_classes} classes, keypoints of {names}; expected COCO's {ZOO_CLASSES} classes, or a "
        f"person with 17 keypoints alone, as in the zoo's models. Put its label map beside it as {LABEL_MAP_NAME}."
    )
