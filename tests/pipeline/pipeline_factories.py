"""Fresh label maps and pipeline inputs for tests of the pipeline room."""

from __future__ import annotations

import dataclasses

from kpt_tools.entities import Category
from kpt_tools.pipeline.flips import find_flips
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.pipeline.render import PipelineInputs, skeleton_of
from kpt_tools.pipeline.schedule import Schedule


def pliers() -> tuple[Category, ...]:
    """One class with five keypoints."""
    names = ("right_handle", "left_handle", "middle", "right_head", "left_head")
    return (Category(1, "pliers", names, ((0, 2), (1, 2), (2, 3), (2, 4))),)


def mixed() -> tuple[Category, ...]:
    """Five keypoints, none, and three, of which one name is shared with the first class."""
    odd = Category(3, 'Säge "1"', ("middle", "l_tip", "r_tip"), ((0, 1), (0, 2)))
    return (*pliers(), Category(2, "box"), odd)


def schedule() -> Schedule:
    return Schedule(8, 600, 51.6, 1e-3, 2.5e-4, 60, "as given")


def pipeline_inputs(categories: tuple[Category, ...], **changes: object) -> PipelineInputs:
    label_map = label_map_of(categories)
    inputs = PipelineInputs(
        label_map=label_map,
        skeleton=skeleton_of(categories),
        sigmas=(0.05,) * label_map.num_keypoints,
        flips=find_flips(label_map),
        schedule=schedule(),
        label_map_path="label_maps/label_map.pbtxt",
        train_records="dataset/tfrecord/train.record-?????-of-00002",
        val_records="dataset/tfrecord/val.record-?????-of-00001",
    )
    return dataclasses.replace(inputs, **changes)  # type: ignore[arg-type]
