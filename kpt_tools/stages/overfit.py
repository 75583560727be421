"""Can this model learn from this data at all? It must be able to learn one batch by heart."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kpt_tools.config.train import TrainConfig
from kpt_tools.odapi.train_report import TOTAL_LOSS
from kpt_tools.stages.csv_log import read_rows
from kpt_tools.stages.train import train
from kpt_tools.stages.train_supervisor import RESULTS_NAME

FOLDER = "overfit"
STEPS = 150
LEARNED = 0.35
"""A loss that fell to this share of its start, or below, is learnt."""
_REPORTS = 5

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class OverfitResult:
    """How the loss of one batch fell.

    Attributes:
        run: folder with first_batch.jpg, results.csv and the log.
        steps: that were trained.
        first: loss at the start (median of the first reports).
        last: loss at the end (median of the last reports).
        parts: name of each loss to its value at the start and at the end.
        interrupted: Ctrl-C ended it early.
    """

    run: Path
    steps: int
    first: float
    last: float
    parts: dict[str, tuple[float, float]]
    interrupted: bool

    @property
    def learned(self) -> bool:
        """Whether the batch was learnt."""
        return self.last <= LEARNED * self.first


def overfit_one_batch(config: TrainConfig, on_event: OnEvent = lambda event: None) -> OverfitResult:
    """Train on the first batch only, in ``overfit`` inside the run folder, and compare the losses.

    Raises:
        ConfigError, DataError, EngineError: as `kpt_tools.stages.train.train`.
    """
    import shutil

    run = config.run / FOLDER
    if run.is_dir():
        shutil.rmtree(run)
    steps = config.steps or STEPS
    result = train(replace(config, run=run, steps=steps, overfit_one_batch=True, validate=False), on_event)
    rows = read_rows(run / RESULTS_NAME)
    names = [name for name in rows[0] if name.startswith("Loss/")] if rows else []
    parts = {name: _ends([float(row[name]) for row in rows]) for name in names}
    first, last = parts.pop(TOTAL_LOSS, (0.0, 0.0))
    return OverfitResult(run, result.step, first, last, parts, result.interrupted)


def _ends(values: list[float]) -> tuple[float, float]:
    return statistics.median(values[:_REPORTS]), statistics.median(values[-_REPORTS:])
