"""Whether a training has left the rails."""

from __future__ import annotations

import math
import statistics

WINDOW = 10
EXPLODED = 10.0
"""A median loss of the last steps so many times the lowest one so far is no noise."""


class LossWatch:
    """Looks at the total loss of each step."""

    def __init__(self) -> None:
        self._recent: list[float] = []
        self._lowest = math.inf

    def look(self, loss: float) -> str | None:
        """What is wrong, in words, or None."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        self._recent = [*self._recent[-(WINDOW - 1) :], loss]
        if len(self._recent) < WINDOW:
            return None
        median = statistics.median(self._recent)
        if median > EXPLODED * self._lowest > 0:
            return f"the loss rose from {self._lowest:.3g} to {median:.3g} (medians over {WINDOW} steps)"
        self._lowest = min(self._lowest, median)
        return None
