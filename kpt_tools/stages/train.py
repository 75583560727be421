"""Train a CenterNet with the OD API's `model_main_tf2` in a child process."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools import errors
from kpt_tools.config.train import TrainConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import make_folder, read_json, read_text, write_text
from kpt_tools.odapi import (
    checkpoints,
    commands,
    pipeline_config,
    precision,
    run_config,
    transfer,
    transfer_names,
    transfer_plan,
)
from kpt_tools.odapi.child import run_child
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.pipeline.label_map import format_label_map, read_label_map
from kpt_tools.stages.run_manifest import run_manifest

CONFIG_NAME = "pipeline.config"
LABEL_MAP_NAME = "label_map.pbtxt"
LOG_NAME = "train.log"
RESULTS_NAME = "results.csv"

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run: the run folder.
        step: the step of the last checkpoint.
        steps: the steps asked for.
        resumed_from: the step that it went on from; 0 for a new run.
        interrupted: Ctrl-C ended it early.
        losses: the last losses that were reported.
    """

    run: Path
    step: int
    steps: int
    resumed_from: int
    interrupted: bool
    losses: dict[str, float]


def train(config: TrainConfig, on_event: OnEvent = lambda event: None) -> TrainResult:
    """Train, or go on with a training that was stopped.

    Args:
        config: the settings.
        on_event: called with each event of the child process (phase, step, checkpoint, ...).

    Raises:
        ConfigError: the config cannot work, or the run folder belongs to another model.
        DataError: the label map is damaged.
        EngineError: the OD API failed.
    """
    _check_settings(config)
    message = pipeline_config.read(config.config)
    inputs = run_config.inputs_of(message, str(config.config))
    label_map = read_label_map(inputs.label_map)
    resolved = run_config.resolve(
        message, label_map=(config.run / LABEL_MAP_NAME).resolve(), steps=config.steps, fresh=config.fresh
    )
    run_config.check(resolved, inputs, label_map, str(config.config))
    before = checkpoints.latest(config.run)
    _refuse_other_model(config.run, resolved, before)
    if before is None:
        _prepare_transfer(config.run, resolved)
    make_folder(config.run)
    write_text(config.run / LABEL_MAP_NAME, format_label_map(label_map))
    write_text(config.run / CONFIG_NAME, pipeline_config.format(resolved))
    files = {"config": config.config, "label_map": inputs.label_map}
    with run_manifest(config.run, "train", config, files) as manifest:
        manifest["eval_records"] = [str(Path(path).resolve()) for path in inputs.eval_records]
        manifest["train_records"] = [str(Path(path).resolve()) for path in inputs.train_records]
        manifest["transfer"] = _transferred(config.run)

        def watch(event: dict[str, Any]) -> None:
            if event["kind"] == "refused":
                raise getattr(errors, event["error"], EngineError)(event["message"])
            if event["kind"] == "transfer":
                manifest["transfer"] = {name: value for name, value in event.items() if name != "kind"}
            on_event(event)

        result = _run(config, resolved, before.step if before else 0, watch)
        manifest["result"] = {"step": result.step, "steps": result.steps, "losses": result.losses}
        if result.interrupted:
            manifest["status"] = "interrupted"
    return result


def _check_settings(config: TrainConfig) -> None:
    if config.precision not in precision.CHOICES:
        raise ConfigError(f"--precision '{config.precision}'; expected one of {', '.join(precision.CHOICES)}.")
    if config.transfer not in transfer_plan.CHOICES:
        raise ConfigError(f"--transfer '{config.transfer}'; expected one of {', '.join(transfer_plan.CHOICES)}.")
    if config.steps is not None and config.steps < 1:
        raise ConfigError(f"--steps {config.steps}; expected at least 1.")


def _prepare_transfer(run: Path, resolved: Message) -> None:
    """Refuse early what the child process would refuse, and forget what an earlier attempt took over."""
    if resolved.train_config.fine_tune_checkpoint:
        checkpoint = Path(resolved.train_config.fine_tune_checkpoint)
        if run.resolve() == transfer_names.folder_of(checkpoint):
            raise ConfigError(f"{run}: holds the fine-tune checkpoint {checkpoint}. Choose another folder with --run.")
        transfer_names.refuse_other_extractor(checkpoint, resolved)
    (run / transfer.FILE_NAME).unlink(missing_ok=True)


def _refuse_other_model(run: Path, resolved: Message, before: checkpoints.CheckpointFile | None) -> None:
    if before is None:
        return
    old = pipeline_config.parse(read_text(run / CONFIG_NAME, what="pipeline.config of the run"), str(run / CONFIG_NAME))
    if old.model != resolved.model:
        raise ConfigError(
            f"{run}: holds checkpoints (step {before.step}) of a model that differs from this config's. "
            "Choose another folder with --run, or remove that one."
        )


def _transferred(run: Path) -> dict[str, Any] | None:
    """What a run that is resumed took over from its fine-tune checkpoint; None if it began from scratch."""
    path = run / transfer.FILE_NAME
    if not path.is_file():
        return None
    report = read_json(path, what="report of kpt-tools train on what it took from the fine-tune checkpoint")
    return {name: value for name, value in report.items() if name != "variables"}


def _run(config: TrainConfig, resolved: Message, start: int, on_event: OnEvent) -> TrainResult:
    steps = int(resolved.train_config.num_steps)
    if start >= steps:
        return TrainResult(config.run, start, steps, start, False, {})
    command = commands.train_command(
        config.run / CONFIG_NAME,
        config.run,
        steps=steps,
        checkpoint_every=config.checkpoint_every or min(1000, max(50, steps // 5)),
        precision=precision.resolve(config.precision),
        seed=config.seed,
        transfer=config.transfer,
    )
    losses: dict[str, float] = {}

    with _Results(config.run / RESULTS_NAME) as results:

        def watch(event: dict[str, Any]) -> None:
            if event["kind"] == "step":
                losses.update(event["losses"])
                results.add(event)
            on_event(event)

        child = run_child(command, config.run / LOG_NAME, watch)
    after = checkpoints.latest(config.run)
    if not child.interrupted and (after is None or after.step != steps):
        found = f"step {after.step}" if after else "none"
        raise EngineError(
            f"{config.run}: the training ended without the checkpoint of step {steps} "
            f"(found: {found}; log: {child.log})."
        )
    return TrainResult(config.run, after.step if after else 0, steps, start, child.interrupted, losses)


class _Results:
    """results.csv: one row per progress event; a resumed run appends."""

    _COLUMNS = ("step", "images_per_s", "learning_rate")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._losses: list[str] | None = None

    def __enter__(self) -> _Results:
        exists = self._path.is_file() and self._path.stat().st_size > 0
        if exists:
            with self._path.open(encoding="utf-8", newline="") as handle:
                header = next(csv.reader(handle), [])
            self._losses = header[len(self._COLUMNS) :]
        self._handle = self._path.open("a", encoding="utf-8", newline="")
        self._writer = csv.writer(self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        self._handle.close()

    def add(self, event: dict[str, Any]) -> None:
        if self._losses is None:
            self._losses = sorted(event["losses"])
            self._writer.writerow([*self._COLUMNS, *self._losses])
        row = [event["step"], f"{event['images_per_s']:.3f}", f"{event['learning_rate']:.6g}"]
        self._writer.writerow([*row, *(f"{event['losses'].get(name, float('nan')):.6g}" for name in self._losses)])
        self._handle.flush()
