"""Render a pipeline.config for a folder of records."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import kpt_tools
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.records_manifest import RecordsManifest, SplitRecords, read_manifest
from kpt_tools.entities import LabelMap
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import write_text
from kpt_tools.odapi import pipeline_config
from kpt_tools.odapi.transfer_names import refuse_other_extractor, setting_differences
from kpt_tools.pipeline.flips import find_flips, names_of
from kpt_tools.pipeline.input_shape import rectangle
from kpt_tools.pipeline.label_map import label_map_of, read_label_map
from kpt_tools.pipeline.override import Override, apply_override
from kpt_tools.pipeline.pretrained import choose_checkpoint
from kpt_tools.pipeline.render import UNKNOWN_BOXES, PipelineInputs, render, skeleton_of
from kpt_tools.pipeline.resources import load_template
from kpt_tools.pipeline.schedule import Schedule, plan
from kpt_tools.pipeline.sigmas import read_sigmas
from kpt_tools.pipeline.template import Template
from kpt_tools.stages.zoo_model import in_zoo


@dataclass(frozen=True)
class MakeConfigResult:
    """What was written, for people to check.

    Attributes:
        path: the pipeline.config.
        template: its template.
        inputs: the values that were put in.
        flip_names: pairs of keypoint labels that exchange in a mirror image.
        train: the training split.
        val: the validation split, or None.
        overrides: the fields that were overridden, with their values before.
        warnings: one line each.
    """

    path: Path
    template: Template
    inputs: PipelineInputs
    flip_names: tuple[tuple[str, str], ...]
    train: SplitRecords
    val: SplitRecords | None
    overrides: tuple[Override, ...]
    warnings: tuple[str, ...]

    @property
    def schedule(self) -> Schedule:
        """Batch, steps, learning rate."""
        return self.inputs.schedule


def make_config(config: MakeConfigConfig) -> MakeConfigResult:
    """Render a pipeline.config, parse it as the OD API would, and write it.

    Raises:
        ConfigError: an option that cannot be carried out, or no records.
        DataError: shards are missing, or the label map does not belong to the records.
        MissingDependencyError: the OD API, whose protos check the result, is not installed.
    """
    manifest = read_manifest(config.records)
    template = load_template(config.template)
    inputs = _inputs(config, manifest, template)
    source = f"template {template.name}, filled"
    message = pipeline_config.parse(render(template, inputs), source)
    overrides = tuple(apply_override(message, assignment) for assignment in config.overrides)
    differences: tuple[str, ...] = ()
    if message.train_config.fine_tune_checkpoint:
        checkpoint = Path(message.train_config.fine_tune_checkpoint)
        refuse_other_extractor(checkpoint, message)
        differences = setting_differences(checkpoint, message)
    flip_names = names_of(inputs.flips.pairs, inputs.label_map)
    text = _head(template, inputs, flip_names, overrides) + pipeline_config.format(message)
    if pipeline_config.parse(text, source) != message:
        raise ConfigError(
            f"{config.out}: the config changes when it is written and read again. Check the --set values."
        )
    write_text(config.out, text)
    return MakeConfigResult(
        path=config.out,
        template=template,
        inputs=inputs,
        flip_names=flip_names,
        train=manifest.splits["train"],
        val=_val(manifest),
        overrides=overrides,
        warnings=(*_warnings(manifest, inputs), *differences),
    )


def _inputs(config: MakeConfigConfig, manifest: RecordsManifest, template: Template) -> PipelineInputs:
    label_map_path, label_map = _label_map(config, manifest)
    train = _train(config, manifest)
    checkpoint = choose_checkpoint(
        template.info, config.pretrained_models, pretrained=_pretrained(config), fresh=config.fresh
    )
    schedule = plan(
        train.images,
        template.info.batch_size if config.batch_size is None else config.batch_size,
        template.info.reference,
        epochs=config.epochs,
        steps=config.steps,
        learning_rate=config.learning_rate,
    )
    val = _val(manifest)
    input_size = _input_size(config, template)
    fitting = rectangle(manifest.aspect_range, input_size, template.info.input_multiple)
    return PipelineInputs(
        label_map=label_map,
        skeleton=skeleton_of(manifest.categories),
        sigmas=read_sigmas(config.sigmas, label_map),
        flips=find_flips(label_map, config.flip_pairs),
        schedule=schedule,
        label_map_path=_project_path(label_map_path),
        train_records=_pattern(config.records, train),
        val_records=None if val is None else _pattern(config.records, val),
        max_instances=max(split.max_instances for split in manifest.splits.values()),
        checkpoint=None if checkpoint is None else _project_path(checkpoint),
        any_orientation=config.any_orientation,
        input_size=input_size,
        input_hw=fitting if template.info.rectangular else None,
    )


def _input_size(config: MakeConfigConfig, template: Template) -> int:
    """The side of a square input, which the strides of the network must divide."""
    size, multiple = config.input_size, template.info.input_multiple
    if size is None:
        return template.info.input_size
    if size < multiple or size % multiple:
        below = max(multiple, size // multiple * multiple)
        raise ConfigError(
            f"--input-size {size}; expected a multiple of {multiple}, for the strides of {template.name}: "
            f"{below} or {below + multiple}."
        )
    return size


def _pretrained(config: MakeConfigConfig) -> str | None:
    """The folder's name of a model that was named as the zoo names its archive."""
    known = in_zoo(config.pretrained) if config.pretrained else None
    if known is None or config.pretrained is None or (config.pretrained_models / config.pretrained).is_dir():
        return config.pretrained
    return known.folder


def _label_map(config: MakeConfigConfig, manifest: RecordsManifest) -> tuple[Path, LabelMap]:
    path = config.label_map or Path(os.path.normpath(config.records / manifest.label_map))
    label_map = read_label_map(path)
    expected = label_map_of(manifest.categories)
    if label_map != expected:
        raise DataError(
            f"{path}: has {_described(label_map)}; the records in {config.records} were made with "
            f"{_described(expected)} (case and order count). Give theirs, or run kpt-tools make-tfrecord again."
        )
    return path, label_map


def _described(label_map: LabelMap) -> str:
    classes = (
        f"'{item.name}' ({', '.join(k.label for k in item.keypoints) or 'no keypoints'})" for item in label_map.items
    )
    return ", ".join(classes)


def _train(config: MakeConfigConfig, manifest: RecordsManifest) -> SplitRecords:
    """The training split, after a look at whether every shard is there."""
    if "train" not in manifest.splits:
        raise DataError(f"{config.records}: no split 'train'; found {', '.join(manifest.splits) or 'none'}.")
    for split in manifest.splits.values():
        missing = [name for name in split.shards if not (config.records / name).is_file()]
        if missing or not split.shards:
            raise DataError(
                f"{config.records}: {len(missing)} of {len(split.shards)} shards of {split.pattern} are missing "
                f"({', '.join(missing[:3])}). Run kpt-tools make-tfrecord again."
            )
    return manifest.splits["train"]


def _val(manifest: RecordsManifest) -> SplitRecords | None:
    val = manifest.splits.get("val")
    return val if val is not None and val.images else None


def _pattern(records: Path, split: SplitRecords) -> str:
    folder = os.path.abspath(records)
    if any(sign in folder for sign in "*?["):
        raise ConfigError(f"{folder}: has one of * ? [ in its name, which the OD API reads as a pattern. Rename it.")
    return _project_path(records / split.pattern)


def _project_path(path: Path) -> str:
    """`path` as written into the config: relative within the current folder, else absolute.

    So a project can be moved as a whole, and `train` finds everything when it is started in the same folder.
    """
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


def _warnings(manifest: RecordsManifest, inputs: PipelineInputs) -> tuple[str, ...]:
    warnings = list(inputs.flips.warnings)
    if inputs.val_records is None:
        warnings.append(
            "there are no validation records, so the config has no eval_input_reader: nothing will tell how good the "
            "model is on pictures it has not seen. Run kpt-tools make-tfrecord --val 0.2."
        )
    if not inputs.label_map.num_keypoints:
        warnings.append("no class has keypoints: the model will find boxes only.")
    train = manifest.splits["train"]
    if not train.max_instances and train.instances > UNKNOWN_BOXES:
        warnings.append(
            f"the records do not tell the most objects in one image; objects beyond {UNKNOWN_BOXES} would be cut off. "
            "Run kpt-tools make-tfrecord again to be sure."
        )
    return tuple(warnings)


def input_text(inputs: PipelineInputs) -> str:
    """The size of the network's input, and why it is that."""
    if inputs.input_hw is None:
        return f"{inputs.input_size} x {inputs.input_size} px, images padded to a square"
    height, width = inputs.input_hw
    return f"{width} x {height} px, for all images have about this shape"


def _head(
    template: Template,
    inputs: PipelineInputs,
    flip_names: tuple[tuple[str, str], ...],
    overrides: tuple[Override, ...],
) -> str:
    """Comments that tell where the values come from."""
    schedule = inputs.schedule
    lines = [
        f"kpt-tools {kpt_tools.__version__} make-config, template {template.name}: {template.info.title}.",
        "Relative paths count from the folder that make-config ran in; start kpt-tools train there.",
        f"Input: {input_text(inputs)}.",
        f"Steps: {schedule.steps} ({schedule.origin}).",
        f"Mirror images exchange: {', '.join(f'{a} and {b}' for a, b in flip_names) or 'nothing'}.",
        f"Start: {inputs.checkpoint or 'from scratch'}.",
        *(f"--set {override.path}: {override.before} -> {override.after}" for override in overrides),
    ]
    return "".join(f"# {' '.join(line.split())}\n" for line in lines) + "\n"
