"""Train a CenterNet with the OD API's `model_main_tf2` in a child process."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools import errors
from kpt_tools.config.train import BEST_METRICS, BOX_CELLS, TrainConfig, default_checkpoint_every
from kpt_tools.entities import LabelMap
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import make_folder, read_json, read_text, write_text
from kpt_tools.odapi import (
    adjust,
    checkpoints,
    commands,
    pipeline_config,
    precision,
    rotation,
    run_config,
    train_input,
    transfer,
    transfer_names,
    transfer_plan,
    validation,
)
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.pipeline.label_map import format_label_map, read_label_map
from kpt_tools.stages.best_checkpoint import FOLDER as BEST_FOLDER
from kpt_tools.stages.best_checkpoint import Best, read_best
from kpt_tools.stages.eval_truth import count_records, find_shards
from kpt_tools.stages.preflight import free_memory, preflight
from kpt_tools.stages.run_lock import run_lock
from kpt_tools.stages.run_manifest import FILE_NAME as RUN_NAME
from kpt_tools.stages.run_manifest import read_run, run_manifest
from kpt_tools.stages.train_preview import draw_first_batch
from kpt_tools.stages.train_speed import kept_bytes
from kpt_tools.stages.train_supervisor import CONFIG_NAME, LOG_NAME, RESULTS_NAME, Progress, Supervisor
from kpt_tools.stages.train_validation import Validator, stride
from kpt_tools.stages.train_workers import as_worker, check_batch, check_workers, told_to_workers

LABEL_MAP_NAME = "label_map.pbtxt"

__all__ = ["CONFIG_NAME", "LABEL_MAP_NAME", "LOG_NAME", "RESULTS_NAME", "TrainResult", "train"]

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
        best: the best checkpoint; None if nothing was validated.
        stopped_early: why it ended before the last step by itself, or None.
        worker: which of several workers this was; 0 for the one with the run, or the only one.
    """

    run: Path
    step: int
    steps: int
    resumed_from: int
    interrupted: bool
    losses: dict[str, float]
    best: Best | None = None
    stopped_early: str | None = None
    worker: int = 0


def train(config: TrainConfig, on_event: OnEvent = lambda event: None) -> TrainResult:
    """Train, or go on with a training that was stopped.

    Args:
        config: the settings.
        on_event: called with each event of the child process (phase, step, checkpoint, ...), and with those of this
            side (preflight, adjusted, validated).

    Raises:
        ConfigError: the config cannot work, or the run folder belongs to another model.
        DataError: the label map is damaged.
        EngineError: the OD API failed.
    """
    _check_settings(config)
    config = as_worker(config)
    message = pipeline_config.read(config.config)
    with run_lock(config.run, lambda: on_event({"kind": "orphan"})) as lock:
        return _train_alone(config, message, lock, on_event)


def _train_alone(config: TrainConfig, message: Message, lock: tuple[int, ...], on_event: OnEvent) -> TrainResult:
    """Train in a folder where nobody else does."""
    inputs = run_config.inputs_of(message, str(config.config))
    label_map = read_label_map(inputs.label_map)
    resolved = run_config.resolve(
        message, label_map=(config.run / LABEL_MAP_NAME).resolve(), steps=config.steps, fresh=config.fresh
    )
    run_config.check(resolved, inputs, label_map, str(config.config))
    check_batch(config, int(resolved.train_config.batch_size))
    before = checkpoints.latest(config.run)
    _refuse_other_model(config.run, resolved, before)
    _refuse_other_averages(config, before)
    _refuse_old_best(config.run, before)
    if before is None:
        _prepare_transfer(config.run, resolved)
    found = preflight(config, resolved, inputs.train_records, label_map)
    on_event({"kind": "preflight", **vars(found)})
    if found.batch_size != resolved.train_config.batch_size:
        adjust.set_batch_size(resolved, found.batch_size)
    progress = _progress(config.run, before)
    _clean(config.run, on_event)
    write_text(config.run / LABEL_MAP_NAME, format_label_map(label_map))
    files = {"config": config.config, "label_map": inputs.label_map}
    chosen_precision = _precision(config, before)
    with run_manifest(config.run, "train", config, files) as manifest:
        manifest["eval_records"] = [str(Path(path).resolve()) for path in inputs.eval_records]
        manifest["train_records"] = [str(Path(path).resolve()) for path in inputs.train_records]
        manifest["transfer"] = _transferred(config.run)
        with _recorded(manifest, progress):
            watch = _watch(manifest, resolved, label_map, on_event)
            result = _run(config, resolved, label_map, progress, watch, lock, chosen_precision)
        manifest["result"] = {"step": result.step, "steps": result.steps, "losses": result.losses}
        manifest["stopped_early"] = result.stopped_early
        if result.interrupted:
            manifest["status"] = "interrupted"
    return result


def _watch(manifest: dict[str, Any], resolved: Message, label_map: LabelMap, on_event: OnEvent) -> OnEvent:
    """Hands events on, and does what they ask for."""

    def watch(event: dict[str, Any]) -> None:
        if event["kind"] == "refused":
            raise getattr(errors, event["error"], EngineError)(event["message"])
        if event["kind"] == "transfer":
            manifest["transfer"] = {name: value for name, value in event.items() if name != "kind"}
        if event["kind"] == "precision":
            manifest["precision"] = {"used": event["precision"], "speedup": event["speedup"]}
        if event["kind"] == "memory":
            manifest["peak_memory_mb"] = event["peak_mb"]
        if event["kind"] == "first_batch":
            event = event | {"picture": _drawn(Path(event["path"]), resolved, label_map)}
        on_event(event)

    return watch


def _drawn(batch: Path, resolved: Message, label_map: LabelMap) -> Path:
    picture = draw_first_batch(batch, run_config.metadata_of(resolved, label_map))
    batch.unlink()
    return picture


@contextlib.contextmanager
def _recorded(manifest: dict[str, Any], progress: Progress) -> Iterator[None]:
    """Write down what the training changed by itself, however it ends."""
    try:
        yield
    finally:
        manifest["adjustments"] = [adjustment.to_dict() for adjustment in progress.adjustments]


def _progress(run: Path, before: checkpoints.CheckpointFile | None) -> Progress:
    """Where an earlier start left off: its changes of batch size and learning rate hold on."""
    if before is None or not (run / RUN_NAME).is_file():
        return Progress()
    rows = read_run(run).get("adjustments") or []
    return Progress(tuple(adjust.Adjustment(**row) for row in rows), resumed_from=before.step)


def _precision(config: TrainConfig, before: checkpoints.CheckpointFile | None) -> str:
    """That of the settings; "auto" is what it was when the run began."""
    if config.precision != precision.AUTO or before is None or not (config.run / RUN_NAME).is_file():
        return config.precision
    return str((read_run(config.run).get("precision") or {}).get("used", config.precision))


def _check_settings(config: TrainConfig) -> None:
    if config.rotation is not None and not 0.0 <= config.rotation <= 180.0:
        raise ConfigError(f"--rotation {config.rotation:g}; expected degrees from 0 to 180.")
    if config.box_cells not in BOX_CELLS:
        raise ConfigError(f"--box-cells {config.box_cells}; expected {' or '.join(map(str, BOX_CELLS))}.")
    check_workers(config)
    if config.precision not in precision.CHOICES:
        raise ConfigError(f"--precision '{config.precision}'; expected one of {', '.join(precision.CHOICES)}.")
    if config.transfer not in transfer_plan.CHOICES:
        raise ConfigError(f"--transfer '{config.transfer}'; expected one of {', '.join(transfer_plan.CHOICES)}.")
    if config.best_metric not in BEST_METRICS:
        raise ConfigError(f"--best-metric '{config.best_metric}'; expected one of {', '.join(BEST_METRICS)}.")
    if config.steps is not None and config.steps < 1:
        raise ConfigError(f"--steps {config.steps}; expected at least 1.")
    if config.patience < 0:
        raise ConfigError(f"--patience {config.patience}; expected 0 (never stop early) or more.")
    if not 0.0 <= config.ema < 1.0:
        raise ConfigError(f"--ema {config.ema:g}; expected 0 (none), or a number below 1 such as 0.998.")


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
    if _without_place(old.model) != _without_place(resolved.model):
        raise ConfigError(
            f"{run}: holds checkpoints (step {before.step}) of a model that differs from this config's. "
            "Choose another folder with --run, or remove that one."
        )


def _without_place(model: Message) -> Message:
    """A copy of the model's message that does not tell where the label map lies: a run folder may be moved."""
    copy = type(model)()
    copy.CopyFrom(model)
    if copy.HasField("center_net"):
        copy.center_net.ClearField("keypoint_label_map_path")
    return copy


def _refuse_old_best(run: Path, before: checkpoints.CheckpointFile | None) -> None:
    """A new training would not replace the best checkpoint of an earlier one, unless it came to be better."""
    best = read_best(run) if before is None else None
    if best is not None:
        raise ConfigError(
            f"{run}: holds the best checkpoint of an earlier training (step {best.step}) and none to go on from. "
            f"Choose another folder with --run, or remove {run / BEST_FOLDER}."
        )


def _clean(run: Path, on_event: OnEvent) -> None:
    """Remove what a killed training left half-written, and tell."""
    left = checkpoints.leftovers(run) + sorted((run / validation.FOLDER).glob("*"))
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if left:
        on_event({"kind": "cleaned", "names": [path.name for path in left]})


def _refuse_other_averages(config: TrainConfig, before: checkpoints.CheckpointFile | None) -> None:
    """The weights of a run with averages mean something else than those of one without."""
    if before is None or not (config.run / RUN_NAME).is_file():
        return
    earlier = (read_run(config.run).get("config") or {}).get("ema", 0.0)
    if bool(earlier) != bool(config.ema):
        raise ConfigError(
            f"{config.run}: was begun with --ema {earlier:g}, now it is --ema {config.ema:g}. "
            "Use the same, or another --run."
        )


def _transferred(run: Path) -> dict[str, Any] | None:
    """What a run that is resumed took over from its fine-tune checkpoint; None if it began from scratch."""
    path = run / transfer.FILE_NAME
    if not path.is_file():
        return None
    report = read_json(path, what="report of kpt-tools train on what it took from the fine-tune checkpoint")
    return {name: value for name, value in report.items() if name != "variables"}


def _run(
    config: TrainConfig,
    resolved: Message,
    label_map: LabelMap,
    progress: Progress,
    on_event: OnEvent,
    lock: tuple[int, ...],
    chosen_precision: str,
) -> TrainResult:
    steps = int(resolved.train_config.num_steps)
    start = progress.resumed_from
    validator, every = _validator(config, resolved, label_map, on_event)
    if start >= steps and (validator is None or validator.validated_step() >= start):
        return TrainResult(config.run, start, steps, start, False, {}, read_best(config.run))
    kept = kept_bytes(resolved, run_config.inputs_of(resolved, str(config.config)).train_records, steps, free_memory())
    if kept:
        on_event({"kind": "kept", "bytes": kept})
    command = _command(
        config,
        steps,
        every,
        chosen_precision=chosen_precision,
        keep_decoded=kept > 0,
        degrees=_degrees(config, resolved),
    )
    supervisor = Supervisor(
        config.run, resolved, command, validator, progress, on_event, lock, alone=not config.workers
    )
    with told_to_workers(config):
        progress = supervisor.run()
    if config.worker_index:
        return TrainResult(
            config.run, progress.step, steps, start, progress.interrupted, progress.losses, worker=config.worker_index
        )
    after = checkpoints.latest(config.run)
    ended = progress.interrupted or progress.stopped_early is not None
    if not ended and (after is None or after.step != steps):
        found = f"step {after.step}" if after else "none"
        raise EngineError(
            f"{config.run}: the training ended without the checkpoint of step {steps} "
            f"(found: {found}; log: {config.run / LOG_NAME})."
        )
    return TrainResult(
        run=config.run,
        step=after.step if after else 0,
        steps=steps,
        resumed_from=start,
        interrupted=progress.interrupted,
        losses=progress.losses,
        best=read_best(config.run),
        stopped_early=progress.stopped_early,
    )


def _degrees(config: TrainConfig, resolved: Message) -> float:
    if config.rotation is not None:
        return config.rotation
    return rotation.default_degrees(train_input.augmentations(resolved.train_config))


def _command(
    config: TrainConfig, steps: int, validate_every: int, *, chosen_precision: str, keep_decoded: bool, degrees: float
) -> list[str]:
    return commands.train_command(
        config.run / CONFIG_NAME,
        config.run,
        steps=steps,
        checkpoint_every=config.checkpoint_every or default_checkpoint_every(steps),
        precision=chosen_precision,
        seed=config.seed,
        transfer=config.transfer,
        ema=config.ema,
        validate_every=validate_every,
        one_batch=config.overfit_one_batch,
        keep_decoded=keep_decoded,
        workers=config.workers,
        worker_index=config.worker_index or 0,
        degrees=degrees,
        box_cells=config.box_cells,
    )


def _validator(
    config: TrainConfig, resolved: Message, label_map: LabelMap, on_event: OnEvent
) -> tuple[Validator | None, int]:
    patterns = run_config.inputs_of(resolved, str(config.config)).eval_records
    if not config.validate or config.overfit_one_batch or not patterns:
        return None, 0
    shards = find_shards(patterns)
    images = count_records(shards)
    every = stride(images)
    if every > 1:
        on_event({"kind": "sampled", "images": images, "every": every})
    make_folder(config.run / validation.FOLDER)
    return Validator(config, run_config.metadata_of(resolved, label_map), shards), every
