"""How long to train, and how fast: steps, warm-up and learning rate from the amount of data.

The schedules published with the zoo's models (250000 steps at batch 128) are made for 118000 images
and 32 accelerators. Here they follow from what the user has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kpt_tools.errors import ConfigError

_WARMUP_SHARE = 0.1
_LEAST_SHARE_OF_REFERENCE = 1 / 16


@dataclass(frozen=True)
class Reference:
    """The schedule that a template's published values belong to.

    Attributes:
        batch_size: the batch that `learning_rate` was chosen for.
        learning_rate: peak learning rate at that batch.
        warmup_start: learning rate at step 0 as a share of the peak.
        max_warmup_steps: warm-up of the published schedule.
        epochs: default number of passes over the images.
        min_steps: the default schedule is never shorter: with few images, an epoch is next to nothing.
        max_steps: the default schedule is never longer; ask with `epochs` or `steps` for more.
    """

    batch_size: int
    learning_rate: float
    warmup_start: float
    max_warmup_steps: int
    epochs: int
    min_steps: int
    max_steps: int


@dataclass(frozen=True)
class Schedule:
    """Adam with a linear warm-up and cosine decay to zero.

    Attributes:
        batch_size: images per step.
        steps: number of steps, the decay's length too.
        epochs: passes over the images that these steps make.
        learning_rate: peak.
        warmup_learning_rate: at step 0.
        warmup_steps: steps from there to the peak.
        origin: one line that says where `steps` comes from.
    """

    batch_size: int
    steps: int
    epochs: float
    learning_rate: float
    warmup_learning_rate: float
    warmup_steps: int
    origin: str


def plan(
    images: int,
    batch_size: int,
    reference: Reference,
    *,
    epochs: float | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
) -> Schedule:
    """Plan the training.

    - steps = ceil(images x epochs / batch); with the default number of epochs kept within the
      template's bounds, with `epochs` or `steps` given exactly as asked.
    - warm-up = the smaller of the published one and 10 % of the steps.
    - learning rate = reference x sqrt(batch / reference batch), the scaling rule for adaptive
      optimizers (Malladi et al. 2022, "On the SDEs and Scaling Rules for Adaptive Gradient
      Algorithms", arXiv:2205.10287), within 1/16 and 1 of the reference.

    Raises:
        ConfigError: a number that makes no sense, or both `epochs` and `steps`.
    """
    _refuse_nonsense(images, batch_size, epochs, steps, learning_rate)
    total, origin = _steps(images, batch_size, reference, epochs, steps)
    peak = learning_rate if learning_rate is not None else scaled_learning_rate(batch_size, reference)
    return Schedule(
        batch_size=batch_size,
        steps=total,
        epochs=total * batch_size / images,
        learning_rate=peak,
        warmup_learning_rate=_rounded(peak * reference.warmup_start),
        warmup_steps=min(reference.max_warmup_steps, int(total * _WARMUP_SHARE)),
        origin=origin,
    )


def scaled_learning_rate(batch_size: int, reference: Reference) -> float:
    """The reference's peak learning rate, scaled by the square root of the batch and kept within bounds."""
    share = math.sqrt(batch_size / reference.batch_size)
    return _rounded(reference.learning_rate * min(1.0, max(_LEAST_SHARE_OF_REFERENCE, share)))


def _steps(
    images: int, batch_size: int, reference: Reference, epochs: float | None, steps: int | None
) -> tuple[int, str]:
    if steps is not None:
        return steps, "as given"
    passes = reference.epochs if epochs is None else epochs
    total = max(1, math.ceil(images * passes / batch_size))
    origin = f"{images} images x {passes:g} epochs / batch {batch_size}"
    if epochs is not None:
        return total, origin
    bounded = min(max(total, reference.min_steps), reference.max_steps)
    if bounded > total:
        return bounded, f"the template's minimum ({origin} would be {total})"
    if bounded < total:
        return bounded, f"the template's maximum ({origin} would be {total}); --epochs or --steps for more"
    return total, origin


def _refuse_nonsense(
    images: int, batch_size: int, epochs: float | None, steps: int | None, learning_rate: float | None
) -> None:
    if epochs is not None and steps is not None:
        raise ConfigError(f"--epochs {epochs:g} and --steps {steps} both say how long to train; give one of them.")
    numbers = (("number of training images", images), ("--batch-size", batch_size), ("--epochs", epochs))
    for name, number in (*numbers, ("--steps", steps), ("--learning-rate", learning_rate)):
        if number is not None and not (math.isfinite(number) and number > 0):
            raise ConfigError(f"{name} is {number:g}; expected a number above 0.")
    if learning_rate is not None and learning_rate > 1:
        raise ConfigError(
            f"--learning-rate is {learning_rate:g}; expected at most 1 (Adam usually takes 0.0001-0.005)."
        )


def _rounded(value: float) -> float:
    """Three significant digits: nobody needs 0.00017677669."""
    return float(f"{value:.3g}")
