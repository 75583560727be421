"""Progress events and TensorBoard summaries of a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from kpt_tools.odapi import events

EVENT_INTERVAL_S = 0.5
SUMMARY_EVERY_STEPS = 20
TOTAL_LOSS = "Loss/total_loss"


class Reporter:
    """Sends progress events and writes TensorBoard summaries.

    Args:
        steps: of the whole training.
        batch_size: images per step.
        learning_rate: gives the present rate.
        writer: of TensorFlow's summaries.
    """

    def __init__(self, steps: int, batch_size: int, learning_rate: Callable[[], Any], writer: Any) -> None:
        self._steps, self._batch_size, self._learning_rate, self._writer = steps, batch_size, learning_rate, writer
        self._last_event = 0.0
        self._last_step = 0
        self._clock = time.monotonic()

    def after_step(self, step: int, losses: Mapping[str, Any]) -> None:
        """Report a step, if the last report is not too fresh."""
        import tensorflow as tf

        if step % SUMMARY_EVERY_STEPS == 0 or step == self._steps:
            with self._writer.as_default(step=step):
                for name, value in losses.items():
                    tf.summary.scalar(name, value)
                tf.summary.scalar("learning_rate", self._learning_rate())
        now = time.monotonic()
        if now - self._last_event < EVENT_INTERVAL_S and step < self._steps:
            return
        done = step - self._last_step if self._last_step else 1
        rate = done * self._batch_size / max(now - self._clock, 1e-9)
        events.emit(
            "step",
            step=step,
            steps=self._steps,
            losses={name: float(value) for name, value in losses.items()},
            learning_rate=float(self._learning_rate()),
            images_per_s=rate,
        )
        self._last_event, self._last_step, self._clock = now, step, now

    def validated(self, step: int, scores: Mapping[str, float | None]) -> None:
        """Write the scores of the validation pictures at `step`."""
        import tensorflow as tf

        with self._writer.as_default(step=step):
            for name, value in scores.items():
                if value is not None:
                    tf.summary.scalar(f"validation/{name}", value)

    def close(self) -> None:
        """Finish the summaries."""
        self._writer.close()
