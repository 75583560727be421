"""`kpt-tools heatmap train`: train a heatmap model in a child process, with resume."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kpt_tools import errors
from kpt_tools.config.heatmap import HeatmapTrainConfig
from kpt_tools.config.heatmap_manifest import FILE_NAME as DATA_MANIFEST
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import make_folder, read_json, write_text
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.heatmap.training import STATE_NAME
from kpt_tools.odapi import precision
from kpt_tools.odapi.child import run_child
from kpt_tools.report.heatmap_curves import save_curves
from kpt_tools.stages.heatmap_job import JOB_NAME, HeatmapJob, job_of, read_job
from kpt_tools.stages.model_folder import EXPORT_NAME
from kpt_tools.stages.run_manifest import jsonable, run_manifest

LOG_NAME = "train.log"
RESULTS_NAME = "results.csv"
CURVES_NAME = "curves.png"
PROCESS = "the training's process"

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class HeatmapTrainResult:
    """What a training left behind.

    Attributes:
        run: the run folder.
        spec: the model.
        parameters: number of its parameters; None if there was nothing left to train.
        epochs: finished epochs.
        epochs_asked: epochs of the recipe.
        best_epoch: whose weights are in ``export``; None before the first epoch ended.
        val_error: its mean error on val, as a share of the input's side.
        seconds: spent in training and validating, over all runs.
        interrupted: Ctrl-C ended it early.
        export: the folder of the exported model, if the training is complete.
    """

    run: Path
    spec: HeatmapSpec
    parameters: int | None
    epochs: int
    epochs_asked: int
    best_epoch: int | None
    val_error: float | None
    seconds: float
    interrupted: bool
    export: Path | None


def heatmap_train(config: HeatmapTrainConfig, on_event: OnEvent = lambda event: None) -> HeatmapTrainResult:
    """Train, or go on with a training that was stopped or killed.

    Args:
        config: the settings.
        on_event: called with each event of the child process (phase, step, epoch, ...).

    Raises:
        ConfigError: settings that do not fit, no data, or the run folder belongs to another training.
        DataError: damaged data, or a loss that is no number.
        EngineError: the child process failed.
    """
    if config.precision not in precision.CPU_CHOICES:
        raise ConfigError(f"--precision '{config.precision}'; expected one of {', '.join(precision.CPU_CHOICES)}.")
    job, _ = job_of(config, precision.resolve(config.precision))
    make_folder(config.run)
    _refuse_other(config.run, job)
    done = _is_done(config.run, job)
    if done:
        return _result(config.run, job, None, interrupted=False)
    job.write(config.run)
    parameters: int | None = None
    with run_manifest(config.run, "heatmap train", config, {"data": config.data / DATA_MANIFEST}) as manifest:
        manifest["job"] = jsonable(job)

        def watch(event: dict[str, Any]) -> None:
            nonlocal parameters
            if event["kind"] == "refused":
                raise getattr(errors, event["error"], EngineError)(event["message"])
            if event["kind"] == "model":
                parameters = manifest["parameters"] = event["parameters"]
            if event["kind"] == "epoch":
                _write_results(config.run)
            on_event(event)

        command = [sys.executable, "-m", "kpt_tools.stages.heatmap_program", str(config.run.resolve())]
        child = run_child(command, config.run / LOG_NAME, watch, what=PROCESS)
        _write_results(config.run)
        result = _result(config.run, job, parameters, interrupted=child.interrupted)
        manifest["result"] = {"epochs": result.epochs, "best": result.best_epoch, "seconds": result.seconds}
        if child.interrupted:
            manifest["status"] = "interrupted"
        elif result.export is None:
            raise EngineError(f"{config.run}: {PROCESS} ended without an exported model (log: {child.log}).")
    return result


def history_of(run: Path) -> dict[str, Any]:
    """The state that the training keeps: step, seconds, best, history; empty before the first save."""
    path = run / STATE_NAME
    if not path.is_file():
        return {"step": 0, "seconds": 0.0, "best": None, "history": []}
    content: dict[str, Any] = read_json(path, what="state of a heatmap training")
    return content


def _refuse_other(run: Path, job: HeatmapJob) -> None:
    """Keep a run from going on as another training; more epochs would be another schedule, so they are refused, too."""
    if not (run / JOB_NAME).is_file() or not (run / STATE_NAME).is_file():
        if (run / "pipeline.config").is_file():
            raise ConfigError(f"{run}: is the run of another command. Choose another folder with --run.")
        return
    before = read_job(run)
    if replace(before, data=job.data, precision=job.precision) != job:
        raise ConfigError(
            f"{run}: holds a training with other settings ({JOB_NAME}). Choose another folder with --run, or remove it."
        )


def _is_done(run: Path, job: HeatmapJob) -> bool:
    history = history_of(run)["history"]
    return bool(history) and history[-1]["epoch"] >= job.recipe.epochs and (run / EXPORT_NAME).is_dir()


def _result(run: Path, job: HeatmapJob, parameters: int | None, *, interrupted: bool) -> HeatmapTrainResult:
    state = history_of(run)
    history, best = state["history"], state["best"]
    complete = bool(history) and history[-1]["epoch"] >= job.recipe.epochs
    exported = run / EXPORT_NAME
    return HeatmapTrainResult(
        run=run,
        spec=job.spec,
        parameters=parameters,
        epochs=history[-1]["epoch"] if history else 0,
        epochs_asked=job.recipe.epochs,
        best_epoch=best["epoch"] if best else None,
        val_error=best["val_error"] if best else None,
        seconds=float(state["seconds"]),
        interrupted=interrupted,
        export=exported if complete and exported.is_dir() else None,
    )


def _write_results(run: Path) -> None:
    """results.csv and curves.png from the state; a resumed run has all its epochs in them."""
    state = history_of(run)
    if not state["history"]:
        return
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(state["history"][0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(state["history"])
    write_text(run / RESULTS_NAME, buffer.getvalue())
    save_curves(state["history"], state["best"]["epoch"], run / CURVES_NAME)
