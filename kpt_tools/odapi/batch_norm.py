"""Batch-normalisation statistics that fit the schedule.

The mobile extractors of the OD API average their statistics with momentum 0.9997. After 600 steps these are still
83 % their initial 0 and 1, and a network whose training loss looks fine detects nothing. So the momentum is fitted
to the number of steps, and the statistics are estimated anew from training images before a checkpoint is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

WINDOWS_PER_SCHEDULE = 20
"""The moving average forgets e**-20 of its start over a schedule, whatever the number of steps."""

LEAST_MOMENTUM = 0.5


def fitted_momentum(momentum: float, steps: int) -> float:
    """The momentum to use for `steps` training steps: never more than the extractor's own.

    After n steps the share of the initial statistics is ``momentum ** n``; with ``1 - 20 / steps``
    it is about ``e ** -20`` at the end of the schedule.
    """
    return min(momentum, max(LEAST_MOMENTUM, 1.0 - WINDOWS_PER_SCHEDULE / max(steps, 1)))


def layers_of(model: Any) -> list[Any]:
    """All batch-normalisation layers of a detection model (`tf.Module`), of Keras 1-style and 2-style alike."""
    return [module for module in model.submodules if _is_batch_norm(module)]


def _is_batch_norm(module: object) -> bool:
    return any(cls.__name__.startswith("BatchNormalization") for cls in type(module).__mro__)


def fit_momentum(model: Any, steps: int) -> dict[str, Any]:
    """Set the momentum of every layer for a schedule of `steps`; call it before the model is traced.

    Returns:
        ``layers``, ``changed`` and the lowest and highest momentum before and after.
    """
    layers = layers_of(model)
    before = [float(layer.momentum) for layer in layers]
    for layer in layers:
        layer.momentum = fitted_momentum(float(layer.momentum), steps)
    after = [float(layer.momentum) for layer in layers]
    return {
        "layers": len(layers),
        "changed": sum(a != b for a, b in zip(after, before, strict=True)),
        "before": [min(before, default=0.0), max(before, default=0.0)],
        "after": [min(after, default=0.0), max(after, default=0.0)],
    }


class Statistics:
    """Re-estimates means and variances from batches, with no gradient and no change of any weight.

    Args:
        model: the detection model.
        forward: runs the model in training mode on one batch of the training input and returns nothing;
            it is wrapped into its own `tf.function` here, traced with momentum 0.
    """

    def __init__(self, model: Any, forward: Callable[[Any], None]) -> None:
        import tensorflow as tf

        self._layers = layers_of(model)
        self._forward = tf.function(forward, autograph=False)

    def reestimate(self, iterator: Any, batches: int, stop: Callable[[], bool] = lambda: False) -> int:
        """Set each layer's statistics to the mean over `batches` batches; returns the number of batches used.

        When `stop` says so, the batches so far, at least one, must do.

        With momentum 0 a layer's moving statistics are exactly those of the last batch, so they can be
        read off and averaged.
        """
        if not self._layers or batches < 1:
            return 0
        momenta = [layer.momentum for layer in self._layers]
        sums: list[Any] = []
        used = 0
        for layer in self._layers:
            layer.momentum = 0.0
        try:
            for _ in range(batches):
                self._forward(next(iterator))
                values = [(layer.moving_mean.numpy(), layer.moving_variance.numpy()) for layer in self._layers]
                sums = [(m + a, v + b) for (m, v), (a, b) in zip(sums, values, strict=True)] if sums else values
                used += 1
                if stop():
                    break
        finally:
            for layer, momentum in zip(self._layers, momenta, strict=True):
                layer.momentum = momentum
        for layer, (mean, variance) in zip(self._layers, sums, strict=True):
            layer.moving_mean.assign(mean / used)
            layer.moving_variance.assign(variance / used)
        return used
