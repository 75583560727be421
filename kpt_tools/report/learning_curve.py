"""The losses of a training as `results.csv` holds them, also of one that was stopped and resumed."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEP = "step"
TOTAL_LOSS = "Loss/total_loss"
LEARNING_RATE = "learning_rate"
SPEED = "images_per_s"

_WINDOWS = 40
_TREND_PART = 0.2


@dataclass(frozen=True)
class LearningCurve:
    """Numbers over steps.

    Attributes:
        steps: rising.
        columns: by name, each as long as `steps`; NaN where a row has no number.
        resumed_at: the steps that a resumed training went on from.
        damaged: rows that could not be read.
    """

    steps: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]]
    resumed_at: tuple[int, ...] = ()
    damaged: int = 0

    def losses(self) -> list[str]:
        """Names of the parts of the loss, without their total."""
        return [name for name in self.columns if name.startswith("Loss/") and name != TOTAL_LOSS]

    def last(self, name: str) -> float | None:
        """The last number of a column; None if it has none."""
        return next((value for value in reversed(self.columns.get(name, ())) if math.isfinite(value)), None)

    def median(self, name: str) -> float | None:
        """The median of a column; None if it has no number."""
        known = sorted(value for value in self.columns.get(name, ()) if math.isfinite(value))
        return known[len(known) // 2] if known else None

    def trend(self, name: str = TOTAL_LOSS) -> float | None:
        """The median of the last fifth of the steps against that of the fifth before: -0.1 is 10 % less.

        None where there are fewer than 5 rows in one of them.
        """
        if not self.steps or name not in self.columns:
            return None
        span = (self.steps[-1] - self.steps[0]) * _TREND_PART
        parts: list[list[float]] = [[], []]
        for step, value in zip(self.steps, self.columns[name], strict=True):
            age = int((self.steps[-1] - step) / span) if span else 0
            if age < 2 and math.isfinite(value):
                parts[age].append(value)
        if min(map(len, parts)) < 5:
            return None
        late, before = (sorted(part)[len(part) // 2] for part in parts)
        return late / before - 1 if before > 0 else None


def parse_results(text: str) -> LearningCurve:
    """Read the text of a results.csv.

    A training that was killed has rows after its last checkpoint; resumed from there, it writes these steps again. The
    later rows count. Rows that are cut short or hold something else than numbers are passed over and counted.
    """
    rows = csv.reader(text.splitlines())
    header = next(rows, [])
    kept: list[tuple[int, list[float]]] = []
    resumed: list[int] = []
    damaged = 0
    for row in rows:
        values = _numbers(row, len(header))
        if values is None:
            damaged += 1
            continue
        step = int(values[0])
        before = len(kept)
        while kept and kept[-1][0] >= step:
            kept.pop()
        if len(kept) < before:
            resumed = [place for place in resumed if place < step] + [kept[-1][0] if kept else 0]
        kept.append((step, values))
    columns = {name: tuple(values[i] for _, values in kept) for i, name in enumerate(header) if name != STEP}
    return LearningCurve(tuple(step for step, _ in kept), columns, tuple(resumed), damaged)


def _numbers(row: Sequence[str], count: int) -> list[float] | None:
    """The row as numbers, NaN where a cell is empty; None if it is damaged."""
    if len(row) != count or count == 0:
        return None
    try:
        values = [float(cell) if cell.strip() else math.nan for cell in row]
    except ValueError:
        return None
    return values if math.isfinite(values[0]) else None


def smoothed(values: Sequence[float]) -> list[float]:
    """Running mean over about a fortieth of the values, centred; NaN is left out of the means."""
    half = len(values) // _WINDOWS // 2
    result = []
    for index in range(len(values)):
        near = [v for v in values[max(0, index - half) : index + half + 1] if math.isfinite(v)]
        result.append(sum(near) / len(near) if near else math.nan)
    return result
