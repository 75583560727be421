"""From classes, schedule and paths to the text of a pipeline.config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kpt_tools.entities import Category, LabelMap, LabelMapItem
from kpt_tools.pipeline.flips import Flips
from kpt_tools.pipeline.label_map import quoted
from kpt_tools.pipeline.schedule import Schedule
from kpt_tools.pipeline.sigmas import std_of
from kpt_tools.pipeline.template import Template, fill

UNKNOWN_BOXES = 100
"""The OD API's own limit of objects per image, used where the records do not tell; more would be cut off silently."""
LEAST_BOXES = 4


@dataclass(frozen=True)
class PipelineInputs:
    """Everything that a template wants to know.

    Attributes:
        label_map: classes and keypoint slots.
        skeleton: pairs of slot ids.
        sigmas: OKS sigma per slot.
        flips: what mirror images do to slots.
        schedule: batch, steps, learning rate.
        label_map_path: as the OD API will open it.
        train_records: glob of the training shards.
        val_records: glob of the validation shards; None if there are none.
        max_instances: the most objects in one image; 0 if unknown.
        any_orientation: objects lie at any angle (seen from above): also mirror upside down and, in a square input,
            rotate by 90 degrees.
        input_size: side of a square input in pixels.
        input_hw: height and width of a rectangular input; None: a square.
        checkpoint: prefix of the checkpoint to fine-tune from; None for a fresh start.
    """

    label_map: LabelMap
    skeleton: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    flips: Flips
    schedule: Schedule
    label_map_path: str
    train_records: str
    val_records: str | None = None
    max_instances: int = 0
    checkpoint: str | None = None
    any_orientation: bool = False
    input_size: int = 0
    input_hw: tuple[int, int] | None = None

    @property
    def max_boxes(self) -> int:
        """Objects per image that training reads; every one more costs time, for targets are drawn for all of them."""
        return max(LEAST_BOXES, self.max_instances) if self.max_instances else UNKNOWN_BOXES


def render(template: Template, inputs: PipelineInputs) -> str:
    """The text of a pipeline.config.

    Raises:
        ConfigError: the template and the values do not fit each other.
    """
    with_keypoints = [item for item in inputs.label_map.items if item.keypoints]
    names = _task_names(with_keypoints)
    classes = [_class_values(item, task, inputs.sigmas) for item, task in zip(with_keypoints, names, strict=True)]
    validation = [] if inputs.val_records is None else [{"eval_input_path": quoted(inputs.val_records)}]
    upside_down = [{"vertical_flip_permutation": _permutation(inputs.flips.vertical_permutation)}]
    sections = {
        "keypoint_class": classes,
        "validation_split": validation,
        "any_orientation": upside_down if inputs.any_orientation else [],
        "quarter_turns": [_quarter_turns(inputs.flips)] if inputs.any_orientation and not inputs.input_hw else [],
    }
    return fill(template, _values(template, inputs), sections)


def skeleton_of(categories: Sequence[Category]) -> tuple[tuple[int, int], ...]:
    """The skeletons of all classes as pairs of slot ids; `categories` in label-map order."""
    edges: list[tuple[int, int]] = []
    first = 0
    for category in categories:
        edges += [(first + a, first + b) for a, b in category.skeleton]
        first += len(category.keypoints)
    return tuple(edges)


def _values(template: Template, inputs: PipelineInputs) -> dict[str, str]:
    schedule = inputs.schedule
    return {
        "image_resizer": _image_resizer(inputs.input_size or template.info.input_size, inputs.input_hw),
        "num_classes": str(len(inputs.label_map.items)),
        "num_keypoints": str(inputs.label_map.num_keypoints),
        "label_map_path": quoted(inputs.label_map_path),
        "train_input_path": quoted(inputs.train_records),
        "batch_size": str(schedule.batch_size),
        "num_steps": str(schedule.steps),
        "learning_rate": repr(schedule.learning_rate),
        "warmup_learning_rate": repr(schedule.warmup_learning_rate),
        "warmup_steps": str(schedule.warmup_steps),
        "max_number_of_boxes": str(inputs.max_boxes),
        "max_box_predictions": str(max(template.info.max_box_predictions, inputs.max_instances)),
        "horizontal_flip_permutation": _permutation(inputs.flips.permutation),
        "keypoint_edges": " ".join(f"keypoint_edge {{ start: {a} end: {b} }}" for a, b in inputs.skeleton),
        "fine_tune": _fine_tune(inputs.checkpoint),
    }


def _image_resizer(side: int, input_hw: tuple[int, int] | None) -> str:
    if input_hw is not None:
        return f"fixed_shape_resizer {{ height: {input_hw[0]} width: {input_hw[1]} }}"
    return f"keep_aspect_ratio_resizer {{ min_dimension: {side} max_dimension: {side} pad_to_max_dimension: true }}"


def _quarter_turns(flips: Flips) -> dict[str, str]:
    """A rotation moves keypoints only if it is given a permutation; a rotated left stays left."""
    return {"rotation_permutation": _permutation(range(flips.num_keypoints), field="keypoint_rot_permutation")}


def _permutation(permutation: Iterable[int], field: str = "keypoint_flip_permutation") -> str:
    return " ".join(f"{field}: {slot}" for slot in permutation)


def _fine_tune(checkpoint: str | None) -> str:
    if checkpoint is None:
        return ""
    return f'fine_tune_checkpoint: {quoted(checkpoint)} fine_tune_checkpoint_type: "detection"'


def _class_values(item: LabelMapItem, task_name: str, sigmas: Sequence[float]) -> dict[str, str]:
    stds = {keypoint.label: std_of(sigmas[keypoint.id]) for keypoint in item.keypoints}
    return {
        "task_name": quoted(task_name),
        "class_name": quoted(item.name),
        "label_to_std": _entries("keypoint_label_to_std", stds),
        "label_to_sigmas": _entries(
            "keypoint_label_to_sigmas", {keypoint.label: sigmas[keypoint.id] for keypoint in item.keypoints}
        ),
    }


def _entries(field: str, table: dict[str, float]) -> str:
    return " ".join(f"{field} {{ key: {quoted(key)} value: {value!r} }}" for key, value in table.items())


def _task_names(items: Sequence[LabelMapItem]) -> list[str]:
    """A name for each class's task that is safe as a TensorFlow name, and unique."""
    names: list[str] = []
    for item in items:
        name = re.sub(r"[^A-Za-z0-9]+", "_", item.name).strip("_").lower() or "class"
        names.append(name if name not in names else f"{name}_{item.id}")
    return names
