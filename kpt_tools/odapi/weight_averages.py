"""An exponential moving average of the weights, kept beside those in training.

While a checkpoint is made, model and averages change places: what is measured, saved and exported as the model are
the averages. The weights in training are saved with them, so that a resumed run goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any


def decay_at(step: float, decay: float) -> float:
    """The decay at a step: ``min(decay, (1 + step) / (10 + step))``, so that the start is forgotten soon.

    The ramp is that of ``tf.train.ExponentialMovingAverage`` with ``num_updates``.
    """
    return min(decay, (1.0 + step) / (10.0 + step))


class WeightAverages:
    """Averages of `variables`, updated inside the training graph.

    Args:
        variables: the trainable variables of a built model.
        decay: share of the old average that stays after a step, such as 0.998.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        import tensorflow as tf

        self.decay = decay
        self._variables = list(variables)
        self.shadows = [tf.Variable(variable, trainable=False) for variable in self._variables]
        """What is saved: the averages while training, the weights in training while swapped."""

    def update(self, step: Any) -> None:
        """Move each average towards its weight; `step` is the number of steps done, an int64 scalar tensor."""
        import tensorflow as tf

        count = tf.cast(step, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + count) / (10.0 + count))
        for shadow, variable in zip(self.shadows, self._variables, strict=True):
            shadow.assign_sub((1.0 - decay) * (shadow - variable))

    def swap(self) -> None:
        """Exchange the model's weights with the averages."""
        for shadow, variable in zip(self.shadows, self._variables, strict=True):
            value = variable.numpy()
            variable.assign(shadow)
            shadow.assign(value)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The averages are the model's weights inside the block."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
