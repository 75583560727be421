"""Saving a training and finding it again, also after a damaged checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpt_tools.errors import DataError
from kpt_tools.odapi import events, workers
from kpt_tools.odapi.train_parts import Parts
from kpt_tools.odapi.weight_averages import WeightAverages

CHECKPOINTS_KEPT = 3
STATISTICS = "statistics_batches"
"""The variable of a checkpoint that tells what its batch-normalisation statistics were estimated from."""


class TrainState:
    """Model, optimizer and step on disk.

    Args:
        parts: of the run.
        averages: saved too, if given.
        model_dir: the run folder.
    """

    def __init__(self, parts: Parts, averages: WeightAverages | None, model_dir: str) -> None:
        import tensorflow as tf

        self._parts = parts
        self._averages = averages
        self._statistics = tf.Variable(0, trainable=False, dtype=tf.int64)
        more = {} if averages is None else {"shadows": averages.shadows}
        more |= {STATISTICS: self._statistics}
        self._checkpoint = tf.train.Checkpoint(
            step=parts.global_step, model=parts.model, optimizer=parts.optimizer, **more
        )
        assert self._checkpoint.save_counter is not None  # workers make it together, else the chief would wait for them
        self._manager = tf.train.CheckpointManager(self._checkpoint, model_dir, max_to_keep=CHECKPOINTS_KEPT)
        self._model_dir = Path(model_dir)
        self.saved = False
        """Whether there is a checkpoint that the training goes on from, or has written."""

    def resume(self) -> None:
        """Go on from the newest checkpoint that can be read; a new run stays as it is.

        Of several workers, the chief reads it; all call this together.

        Raises:
            DataError: there are checkpoints, and none can be read.
        """
        if not workers.several():
            self._restore()
        else:
            self._restore_chief_and_share()
        self.saved = int(self._parts.global_step.numpy()) > 0
        if self.saved:
            if self._averages is not None:
                self._averages.swap()
            events.emit("resumed", step=int(self._parts.global_step.numpy()))

    def _restore_chief_and_share(self) -> None:
        self._parts.make_variables()
        of_optimizer = _variables_of(self._parts.optimizer, self._parts.model.trainable_variables)
        if workers.is_chief():
            self._restore()
        shadows = [] if self._averages is None else self._averages.shadows
        variables = [self._parts.global_step, *self._parts.model.variables, *of_optimizer, *shadows]
        workers.share_from_chief(variables)

    def _restore(self) -> None:
        paths = list(reversed(self._manager.checkpoints))
        for path in paths:
            reason = damage(path)
            if reason is None:
                self._checkpoint.restore(path)
                return
            events.emit("damaged_checkpoint", checkpoint=path, reason=reason)
        if paths:
            raise DataError(
                f"{Path(paths[0]).parent}: none of its {len(paths)} checkpoints can be read. "
                "Train anew into another folder with --run."
            )

    def save(self, step: int, statistics_batches: int = 0) -> str:
        """Write a checkpoint named after the step; its model has the averages, if there are any.

        Args:
            step: of the training.
            statistics_batches: what the batch-normalisation statistics were estimated from just now; 0: they are the
                moving averages of the training.
        """
        self._statistics.assign(statistics_batches)
        self.saved = True
        if not workers.is_chief():
            return self._take_part_in_saving()
        return str(self._manager.save(checkpoint_number=step))

    def _take_part_in_saving(self) -> str:
        """Values that are spread over the workers can only be read by all of them together; the chief keeps them."""
        with tempfile.TemporaryDirectory(prefix=".ckpt-", suffix=".tmp", dir=self._model_dir) as folder:
            self._checkpoint.write(str(Path(folder) / "ckpt"))
        return ""


def _variables_of(optimizer: Any, weights: Sequence[Any]) -> list[Any]:
    """All variables of an optimizer for `weights`, made if they are not there yet, of Keras' old kind and new."""
    if hasattr(optimizer, "build"):
        optimizer.build(weights)
        return list(optimizer.variables)
    optimizer._create_all_weights(weights)
    return list(optimizer.variables())


def damage(prefix: str) -> str | None:
    """Why a checkpoint cannot be read, in words; None if all its values can (checksums included)."""
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as exc:
        return next(iter(str(exc).splitlines()), type(exc).__name__)
    return None
