"""The pipeline.config of a run: what it says, whether it can work, and its adjustment to the run folder."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.entities import LabelMap, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import checkpoints
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.odapi.transfer_names import SEPARABLE, folder_of

_SHARD = re.compile(r"-\d{5}-of-(\d{5})$")


@dataclass(frozen=True)
class RunInputs:
    """The files that a pipeline.config reads, as glob patterns and paths."""

    train_records: tuple[str, ...]
    eval_records: tuple[str, ...]
    label_map: Path


def inputs_of(config: Message, source: str) -> RunInputs:
    """The record patterns and the label map of a pipeline.config.

    Raises:
        ConfigError: it is not a CenterNet config, or a reader or the label map is missing.
    """
    if config.model.WhichOneof("model") != "center_net":
        raise ConfigError(f"{source}: model is '{config.model.WhichOneof('model')}', expected center_net.")
    train = tuple(config.train_input_reader.tf_record_input_reader.input_path)
    if not train:
        raise ConfigError(f"{source}: train_input_reader has no tf_record_input_reader.input_path.")
    evaluation = tuple(path for reader in config.eval_input_reader for path in reader.tf_record_input_reader.input_path)
    if not config.train_input_reader.label_map_path:
        raise ConfigError(f"{source}: train_input_reader has no label_map_path.")
    return RunInputs(train, evaluation, Path(config.train_input_reader.label_map_path))


def check(config: Message, inputs: RunInputs, label_map: LabelMap, source: str) -> None:
    """Refuse what would fail, or silently train nonsense, hours later.

    Raises:
        ConfigError: records are missing or incomplete, or names and numbers disagree.
    """
    for pattern in (*inputs.train_records, *inputs.eval_records):
        _check_shards(pattern, source)
    center_net = config.model.center_net
    if center_net.num_classes != len(label_map.items):
        raise ConfigError(
            f"{source}: num_classes is {center_net.num_classes}; {inputs.label_map} has {len(label_map.items)} "
            "classes. Run kpt-tools make-config again."
        )
    for name, reader in [("train_input_reader", config.train_input_reader), *_eval_readers(config)]:
        if reader.num_keypoints != label_map.num_keypoints:
            raise ConfigError(
                f"{source}: {name}.num_keypoints is {reader.num_keypoints}; {inputs.label_map} has "
                f"{label_map.num_keypoints} keypoints in all. Run kpt-tools make-config again."
            )
    for task in center_net.keypoint_estimation_task:
        item = label_map.by_name(task.keypoint_class_name)
        if item is None or not item.keypoints:
            known = ", ".join(f"'{i.name}'" for i in label_map.items if i.keypoints)
            raise ConfigError(
                f"{source}: keypoint_class_name '{task.keypoint_class_name}' is no class with keypoints in "
                f"{inputs.label_map}; those are {known or 'none'} (case counts)."
            )
    start = config.train_config.fine_tune_checkpoint
    if start and not checkpoints.exists(Path(start)):
        raise ConfigError(
            f"{source}: fine_tune_checkpoint {start} does not exist. If it is a model of the zoo, run kpt-tools fetch "
            f"{folder_of(Path(start)).name}; or start from scratch with --fresh."
        )


def _eval_readers(config: Message) -> list[tuple[str, Message]]:
    return [(f"eval_input_reader[{i}]", reader) for i, reader in enumerate(config.eval_input_reader)]


def _check_shards(pattern: str, source: str) -> None:
    files = sorted(glob.glob(pattern))
    if not files:
        raise ConfigError(
            f"{source}: no record matches '{pattern}' (seen from {Path.cwd()}). "
            "Run kpt-tools make-tfrecord, or start from the project folder."
        )
    counts = {match.group(1) for file in files if (match := _SHARD.search(file))}
    if counts and counts != {f"{len(files):05d}"}:
        raise ConfigError(
            f"{source}: '{pattern}' matches {len(files)} shards whose names say {', '.join(sorted(counts))}. "
            "Run kpt-tools make-tfrecord again."
        )


def resolve(config: Message, *, label_map: Path, steps: int | None, fresh: bool) -> Message:
    """A copy of `config` for a run folder: absolute paths, the run's label map, and `steps` if given.

    A schedule made for another number of steps is stretched or shortened with its warm-up. The extractor
    ``mobilenet_v2_fpn_sep_conv`` gets the separable convolutions that it is named for: today's OD API reads them from
    ``use_separable_conv`` alone, which the zoo's configs do not have, and then cannot restore the zoo's checkpoints.
    """
    resolved = type(config)()
    resolved.CopyFrom(config)
    resolved.model.center_net.keypoint_label_map_path = str(label_map)
    if resolved.model.center_net.feature_extractor.type.endswith(SEPARABLE):
        resolved.model.center_net.feature_extractor.use_separable_conv = True
    for reader in (resolved.train_input_reader, *resolved.eval_input_reader):
        reader.label_map_path = str(label_map)
        paths = [str(Path(path).resolve()) for path in reader.tf_record_input_reader.input_path]
        reader.tf_record_input_reader.input_path[:] = paths
    train = resolved.train_config
    if fresh:
        train.ClearField("fine_tune_checkpoint")
        train.ClearField("fine_tune_checkpoint_type")
    elif train.fine_tune_checkpoint:
        train.fine_tune_checkpoint = str(Path(train.fine_tune_checkpoint).resolve())
    if steps is not None:
        _stretch_schedule(train, steps)
    return resolved


def _stretch_schedule(train: Message, steps: int) -> None:
    train.num_steps = steps
    optimizer = getattr(train.optimizer, train.optimizer.WhichOneof("optimizer"))
    if optimizer.learning_rate.WhichOneof("learning_rate") != "cosine_decay_learning_rate":
        return
    cosine = optimizer.learning_rate.cosine_decay_learning_rate
    total = max(cosine.total_steps, 1)
    cosine.warmup_steps = cosine.warmup_steps * steps // total
    cosine.total_steps = steps


def metadata_of(config: Message, label_map: LabelMap) -> ModelMetadata:
    """What an exported model tells about itself, read from the config that trained it."""
    return ModelMetadata(
        label_map=label_map,
        skeleton=tuple((edge.start, edge.end) for edge in config.eval_config.keypoint_edge),
        sigmas=_sigmas(config, label_map),
        flip_pairs=_flip_pairs(config),
        input_hw=_input_hw(config),
    )


def _sigmas(config: Message, label_map: LabelMap) -> tuple[float, ...]:
    given = {
        label: value
        for metric in config.eval_config.parameterized_metric
        for label, value in metric.coco_keypoint_metrics.keypoint_label_to_sigmas.items()
    }
    default = 0.05
    return tuple(float(given.get(point.label, default)) for item in label_map.items for point in item.keypoints)


def _flip_pairs(config: Message) -> tuple[tuple[int, int], ...]:
    for option in config.train_config.data_augmentation_options:
        if option.WhichOneof("preprocessing_step") == "random_horizontal_flip":
            permutation = list(option.random_horizontal_flip.keypoint_flip_permutation)
            return tuple((i, j) for i, j in enumerate(permutation) if i < j)
    return ()


def _input_hw(config: Message) -> tuple[int, int]:
    resizer = config.model.center_net.image_resizer
    kind = resizer.WhichOneof("image_resizer_oneof")
    if kind == "fixed_shape_resizer":
        return resizer.fixed_shape_resizer.height, resizer.fixed_shape_resizer.width
    if kind == "keep_aspect_ratio_resizer":
        side = resizer.keep_aspect_ratio_resizer.max_dimension
        return side, side
    return 0, 0
