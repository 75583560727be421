"""What the outputs of a model stand for: class and keypoint names, from its pipeline.config and label map.

Looked at without TensorFlow, so that a checkpoint that cannot fit is refused before a child process starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.entities import LabelMap
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import pipeline_config
from kpt_tools.odapi.known_names import known_label_map
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.pipeline.coco_classes import PERSON, person_label_map, plain_class_name
from kpt_tools.pipeline.label_map import read_label_map

CONFIG_NAME = "pipeline.config"
LABEL_MAP_NAME = "label_map.pbtxt"
UNKNOWN_EXTRACTOR = "unknown (no pipeline.config beside the checkpoint)"

OBJECT_CENTER = "object_center"
HEATMAP, REGRESSION, OFFSET, DEPTH = "keypoint/heatmap", "keypoint/regression", "keypoint/offset", "keypoint/depth"
KEYPOINT_HEADS = (HEATMAP, REGRESSION, OFFSET, DEPTH)
_CLASS_HEADS = (OBJECT_CENTER, "segmentation/heatmap")

SEPARABLE = "_sep_conv"

Channel = tuple[str, int]
"""What one output channel stands for: a class or keypoint name, and 0 or 1 for its y or x."""


@dataclass(frozen=True)
class TaskNames:
    """One keypoint task.

    Attributes:
        task: ``task_name``: the first part of its heads' names.
        class_name: its class; None: unknown.
        keypoints: names in channel order; None: unknown.
        per_keypoint_offset: whether each keypoint has an offset of its own.
        per_keypoint_depth: whether each keypoint has a depth of its own.
    """

    task: str
    class_name: str | None = None
    keypoints: tuple[str, ...] | None = None
    per_keypoint_offset: bool = True
    per_keypoint_depth: bool = False


@dataclass(frozen=True)
class ModelNames:
    """The names of one model.

    Attributes:
        extractor: its feature extractor.
        classes: name of each channel of the object centre, None where unknown; None: nothing is known.
        tasks: its keypoint tasks.
    """

    extractor: str
    classes: tuple[str | None, ...] | None
    tasks: tuple[TaskNames, ...]

    def channels(self, head: str) -> tuple[Channel | None, ...] | None:
        """What the output channels of `head` stand for; None if that is unknown, or has nothing to do with names."""
        if head in _CLASS_HEADS:
            return None if self.classes is None else tuple(None if name is None else (name, 0) for name in self.classes)
        for task in self.tasks:
            if head in {f"{task.task}/{kind}" for kind in KEYPOINT_HEADS}:
                return _keypoint_channels(task, head.removeprefix(f"{task.task}/"))
        return None


def _keypoint_channels(task: TaskNames, kind: str) -> tuple[Channel, ...] | None:
    own = {OFFSET: task.per_keypoint_offset, DEPTH: task.per_keypoint_depth}.get(kind, True)
    axes = (0, 1) if kind in (REGRESSION, OFFSET) else (0,)
    names = task.keypoints if own else ("",)
    return None if names is None else tuple((name, axis) for name in names for axis in axes)


def names_of(config: Message, label_map: LabelMap | None) -> ModelNames:
    """The names of the CenterNet that `config` describes.

    Without a label map, what can be told for sure: the only class of a model with one class, and the zoo's people.
    """
    center_net = config.model.center_net
    tasks = tuple(_task(task, label_map) for task in center_net.keypoint_estimation_task)
    classes: list[str | None] = [None] * center_net.num_classes
    if label_map is not None:
        for item in label_map.items:
            if item.id <= len(classes):
                classes[item.id - 1] = plain_class_name(item.name)
    elif len(tasks) == 1 and classes and (len(classes) == 1 or tasks[0].class_name == PERSON):
        classes[0] = tasks[0].class_name
    return ModelNames(extractor_of(config), tuple(classes) if any(classes) else None, tasks)


def _task(task: Message, label_map: LabelMap | None) -> TaskNames:
    name = plain_class_name(task.keypoint_class_name)
    item = None
    if label_map is not None:
        item = label_map.by_name(task.keypoint_class_name) or label_map.by_name(name)
    else:  # the zoo's keypoint models come without a label map
        person = person_label_map().items[0]
        coco = {keypoint.label for keypoint in person.keypoints}
        item = person if set(task.keypoint_label_to_std) == coco else None
    return TaskNames(
        task=task.task_name,
        class_name=name,
        keypoints=None if item is None else tuple(keypoint.name for keypoint in item.keypoints),
        per_keypoint_offset=task.per_keypoint_offset,
        per_keypoint_depth=task.per_keypoint_depth,
    )


def extractor_of(config: Message) -> str:
    """Name of the feature extractor; the OD API has two ways to ask for separable convolutions."""
    extractor = config.model.center_net.feature_extractor
    separable = extractor.use_separable_conv or extractor.type.endswith(SEPARABLE)
    return str(extractor.type).removesuffix(SEPARABLE) + (SEPARABLE if separable else "")


def names_from_heads(heads: Iterable[str]) -> ModelNames:
    """What the names of a checkpoint's heads tell: its keypoint tasks."""
    suffix = f"/{HEATMAP}"
    tasks = tuple(TaskNames(head.removesuffix(suffix)) for head in sorted(heads) if head.endswith(suffix))
    return ModelNames(UNKNOWN_EXTRACTOR, None, tasks)


def folder_of(checkpoint: Path) -> Path:
    """The model's folder: that of the checkpoint (a run), or that above ``checkpoint`` (the zoo, an export)."""
    return checkpoint.parent.parent if checkpoint.parent.name == "checkpoint" else checkpoint.parent


def read_source(checkpoint: Path) -> ModelNames | None:
    """The names of the model that a checkpoint belongs to; None if there is no pipeline.config beside it.

    Config and label map lie in the model's folder; without a label map, COCO's names are known. Paths within the config
    are not followed: they may be those of another project.

    Args:
        checkpoint: path without suffix, as in ``fine_tune_checkpoint``.

    Raises:
        ConfigError: the config cannot be parsed, or is not that of a CenterNet.
        DataError: the label map is damaged.
    """
    folder = folder_of(checkpoint)
    path = folder / CONFIG_NAME
    if not path.is_file():
        return None
    config = pipeline_config.read(path)
    if config.model.WhichOneof("model") != "center_net":
        raise ConfigError(
            f"{path}: its model is '{config.model.WhichOneof('model')}', expected center_net. "
            "Start from a CenterNet, or from scratch with --fresh."
        )
    label_map = folder / LABEL_MAP_NAME
    return names_of(config, read_label_map(label_map) if label_map.is_file() else known_label_map(config))


def read_target(config: Message) -> ModelNames:
    """The names of the model that is trained; its label map is the one that the config names.

    Raises:
        ConfigError: there is no such label map.
        DataError: it is damaged.
    """
    return names_of(config, read_label_map(Path(config.train_input_reader.label_map_path)))


def refuse_other_extractor(checkpoint: Path, config: Message) -> None:
    """Refuse a checkpoint whose pipeline.config has another feature extractor than `config`.

    Raises:
        ConfigError: it has, or its pipeline.config cannot be read.
        DataError: its label map is damaged.
    """
    source, extractor = read_source(checkpoint), extractor_of(config)
    if source is not None and source.extractor != extractor:
        raise other_extractor(checkpoint, source.extractor, extractor)


def setting_differences(checkpoint: Path, config: Message) -> tuple[str, ...]:
    """Settings of the feature extractor that no shape shows, and that differ from those of the checkpoint's network.

    Returns:
        One line each; none if there is no pipeline.config beside the checkpoint.

    Raises:
        ConfigError: that pipeline.config cannot be parsed.
    """
    path = folder_of(checkpoint) / CONFIG_NAME
    if not path.is_file():
        return ()
    theirs = _hidden_settings(pipeline_config.read(path))
    ours = _hidden_settings(config)
    return tuple(
        f"feature_extractor.{name} is {ours[name]}, {theirs[name]} in the network that the weights were trained in; "
        f"expected the same. Use --set 'model.center_net.feature_extractor.{name}={theirs[name]}'"
        for name in theirs
        if theirs[name] != ours[name]
    )


def _hidden_settings(config: Message) -> dict[str, str]:
    extractor = config.model.center_net.feature_extractor
    means, stds = (list(values) for values in (extractor.channel_means, extractor.channel_stds))
    return {
        "upsampling_interpolation": extractor.upsampling_interpolation or "nearest",
        "bgr_ordering": str(extractor.bgr_ordering).lower(),
        "channel_means": str([round(value, 3) for value in means] or [0.0, 0.0, 0.0]),
        "channel_stds": str([round(value, 3) for value in stds] or [1.0, 1.0, 1.0]),
    }


def other_extractor(checkpoint: Path, found: str, expected: str) -> ConfigError:
    """The error for weights of another feature extractor."""
    return ConfigError(
        f"{checkpoint}: its feature extractor is {found}, this model's is {expected}: the weights do not fit. "
        "Choose the template or the checkpoint that belongs to the other, or start from scratch with --fresh."
    )
