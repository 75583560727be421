"""Changes to a pipeline.config that a training makes by itself when it cannot go on as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kpt_tools.errors import ConfigError
from kpt_tools.odapi.pipeline_config import Message

BATCH_SIZE = "batch_size"
LEARNING_RATE = "learning_rate"

_RATE_FIELDS = {
    "constant_learning_rate": ("learning_rate",),
    "cosine_decay_learning_rate": ("learning_rate_base", "warmup_learning_rate"),
    "exponential_decay_learning_rate": ("initial_learning_rate", "burnin_learning_rate", "min_learning_rate"),
    "manual_step_learning_rate": ("initial_learning_rate",),
}


@dataclass(frozen=True)
class Adjustment:
    """One change.

    Attributes:
        setting: "batch_size" or "learning_rate".
        step: the training went on from this step with it.
        value: the new batch size, or the factor that the rate was multiplied by.
        reason: one line.
    """

    setting: str
    step: int
    value: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return vars(self).copy()


def apply(config: Message, adjustments: tuple[Adjustment, ...]) -> Message:
    """A copy of `config` with all changes."""
    changed = type(config)()
    changed.CopyFrom(config)
    for adjustment in adjustments:
        if adjustment.setting == BATCH_SIZE:
            set_batch_size(changed, round(adjustment.value))
        else:
            scale_learning_rate(changed, adjustment.value)
    return changed


def set_batch_size(config: Message, batch_size: int) -> None:
    """Change the batch, and the rate with its square root (see `kpt_tools.pipeline.schedule.plan`)."""
    scale_learning_rate(config, math.sqrt(batch_size / config.train_config.batch_size))
    config.train_config.batch_size = batch_size


def scale_learning_rate(config: Message, factor: float) -> None:
    """Multiply all rates of the optimizer's schedule.

    Raises:
        ConfigError: the schedule is of an unknown kind.
    """
    optimizer = config.train_config.optimizer
    rate = getattr(optimizer, optimizer.WhichOneof("optimizer")).learning_rate
    kind = rate.WhichOneof("learning_rate")
    if kind not in _RATE_FIELDS:
        raise ConfigError(
            f"learning rate of kind '{kind}': cannot be lowered; expected one of {', '.join(_RATE_FIELDS)}."
        )
    schedule = getattr(rate, kind)
    for name in _RATE_FIELDS[kind]:
        setattr(schedule, name, getattr(schedule, name) * factor)
    for part in getattr(schedule, "schedule", ()):
        part.learning_rate *= factor
