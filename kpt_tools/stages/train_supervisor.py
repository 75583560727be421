"""Keeps a training going: a smaller batch where memory is not enough, a lower rate where the loss explodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpt_tools.errors import EngineError, OutOfMemoryError
from kpt_tools.fsio import write_text
from kpt_tools.odapi import checkpoints, commands, pipeline_config
from kpt_tools.odapi.adjust import BATCH_SIZE, LEARNING_RATE, Adjustment, apply
from kpt_tools.odapi.child import ChildResult, run_child
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.stages.csv_log import CsvLog
from kpt_tools.stages.train_validation import Validator

LOG_NAME = "train.log"
RESULTS_NAME = "results.csv"
CONFIG_NAME = "pipeline.config"
MAX_RATE_CUTS = 3
RATE_CUT = 0.5

OnEvent = Callable[[dict[str, Any]], None]


@dataclass
class Progress:
    """What is known of a training so far; changed by the events of its child.

    Attributes:
        adjustments: of this start and of earlier ones.
        losses: the last that were reported.
        resumed_from: the step that the first child of this start went on from.
        stopped_early: why, or None.
        interrupted: Ctrl-C ended it.
        step: at which the child ended.
    """

    adjustments: tuple[Adjustment, ...] = ()
    losses: dict[str, float] = field(default_factory=dict)
    resumed_from: int = 0
    stopped_early: str | None = None
    interrupted: bool = False
    step: int = 0


class Supervisor:
    """Starts the training child, as often as it takes.

    Args:
        run: the run folder.
        resolved: the pipeline.config for it, without adjustments.
        command: of the child; it reads the pipeline.config in the run folder.
        validator: measures what the child detects; None: no validation.
        progress: where an earlier start left off.
        on_event: called with each event of the child, and with ``adjusted`` and ``validated`` of this class.
        keep_open: file descriptors that the child inherits.
        alone: no other process trains this model too; else the batch cannot be changed here alone.
    """

    def __init__(
        self,
        run: Path,
        resolved: Message,
        command: Sequence[str],
        validator: Validator | None,
        progress: Progress,
        on_event: OnEvent,
        keep_open: Sequence[int] = (),
        *,
        alone: bool = True,
    ) -> None:
        self._run, self._resolved, self._command, self._keep_open = run, resolved, command, keep_open
        self._alone = alone
        self._validator, self._progress, self._on_event = validator, progress, on_event
        self._diverged: dict[str, Any] | None = None
        self._cut_at: int | None = None

    def run(self) -> Progress:
        """Train to the end.

        Raises:
            OutOfMemoryError: not even one image per step fits.
            EngineError: the OD API failed, or the loss explodes at any rate.
        """
        while True:
            adjusted = apply(self._resolved, self._progress.adjustments)
            write_text(self._run / CONFIG_NAME, pipeline_config.format(adjusted))
            try:
                child = self._child()
            except OutOfMemoryError as exc:
                self._halve_batch(int(adjusted.train_config.batch_size), exc)
                continue
            if self._diverged is None:
                self._progress.interrupted = child.interrupted
                return self._progress
            self._cut_rate(self._diverged)

    def _child(self) -> ChildResult:
        self._diverged = None
        command = self._command
        if self._validator is not None:
            command = commands.resumed(command, self._validator.validated_step())
        with CsvLog(self._run / RESULTS_NAME) as results:
            log, watch = self._run / LOG_NAME, lambda event: self._watch(event, results)
            return run_child(command, log, watch, keep_open=self._keep_open)

    def _watch(self, event: dict[str, Any], results: CsvLog) -> None:
        kind = event["kind"]
        if kind == "step":
            self._progress.losses = event["losses"]
            row = {name: event[name] for name in ("step", "images_per_s", "learning_rate")}
            results.add(row | dict(sorted(event["losses"].items())))
        elif kind == "resumed":
            results.forget_after(event["step"])
            if self._validator:
                self._validator.forget_after(event["step"])
        elif kind == "diverged":
            self._diverged = event
        elif kind in ("done", "stopped"):
            self._progress.step = event["step"]
        self._on_event(event)
        if kind == "detections" and self._validator:
            verdict = self._validator.judge(Path(event["path"]), event["step"])
            self._progress.stopped_early = verdict.stop
            self._on_event({"kind": "validated", **vars(verdict)})

    def _halve_batch(self, batch_size: int, exc: OutOfMemoryError) -> None:
        if batch_size == 1 or not self._alone:
            raise exc
        self._adjust(BATCH_SIZE, batch_size // 2, f"batch {batch_size}: {exc}")

    def _cut_rate(self, event: dict[str, Any]) -> None:
        step, reason = event["step"], event["reason"]
        cuts = sum(a.setting == LEARNING_RATE for a in self._progress.adjustments)
        if cuts >= MAX_RATE_CUTS:
            raise EngineError(
                f"{self._run}: {reason} at step {step}, after {cuts} cuts of the learning rate. Look at the "
                "data (kpt-tools check, first_batch.jpg in the run folder), or set a lower --learning-rate."
            )
        start = self._last_step()
        if start and start == self._cut_at:  # it was no good checkpoint, then
            checkpoints.forget_latest(self._run)
        self._cut_at = start
        self._adjust(LEARNING_RATE, RATE_CUT, f"step {step}: {reason}")

    def _adjust(self, setting: str, value: float, reason: str) -> None:
        adjustment = Adjustment(setting, self._last_step(), value, reason)
        self._progress.adjustments += (adjustment,)
        self._on_event({"kind": "adjusted", **adjustment.to_dict()})

    def _last_step(self) -> int:
        last = checkpoints.latest(self._run)
        return last.step if last else 0
