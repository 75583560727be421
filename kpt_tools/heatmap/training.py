"""The training loop: steps, averaged weights, validation, best weights, and going on after a stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.config.heatmap import Recipe
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import make_folder, read_json, write_json
from kpt_tools.heatmap.losses import Loss, loss_of
from kpt_tools.heatmap.networks import build
from kpt_tools.heatmap.pipeline import Source, plain_batches, training_batches
from kpt_tools.heatmap.serving import decode_answer, served
from kpt_tools.heatmap.wide_conv import with_wide_kernels_in_frequency
from kpt_tools.lazy import quiet_tensorflow, require

STATE_NAME = "state.json"
_CHECKPOINTS = "checkpoints"
_BEST = "best"
_SAVE_EVERY_S = 60.0
_TELL_EVERY_S = 0.5
_WARM_UP_SHARE = 0.03
_VALIDATION_BATCH = 64

Emit = Callable[..., None]
"""Takes the kind of an event and its values."""


@dataclass(frozen=True)
class TrainingJob:
    """What to train.

    Attributes:
        run: folder of the run.
        train: training patches.
        val: validation patches.
        recipe: how.
        examples: number of training patches.
    """

    run: Path
    train: Source
    val: Source
    recipe: Recipe
    examples: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch."""
        return math.ceil(self.examples / self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Steps of the training."""
        return self.steps_per_epoch * self.recipe.epochs


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step (from 0): constant, or a short rise and then half a cosine to 0."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    rise = max(1, round(_WARM_UP_SHARE * steps))
    if step < rise:
        return recipe.learning_rate * (step + 1) / rise
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


class Trainer:
    """A training with its state; `run` trains, `best_model` is what came of it."""

    def __init__(self, job: TrainingJob, emit: Emit) -> None:
        """Build the model, or take up what an earlier run left."""
        self.job, self.emit = job, emit
        self.tf = quiet_tensorflow(purpose="training a heatmap model")
        self.keras = require("tf_keras", purpose="training a heatmap model")
        self.keras.utils.set_random_seed(job.train.seed)
        self.model, self.average = self._fresh_model(), self._fresh_model()
        self.average.set_weights(self.model.get_weights())
        self.optimizer = self._optimizer()
        self.optimizer.build(self.model.trainable_variables)
        self.step = self.tf.Variable(0, dtype=self.tf.int64, trainable=False)
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self._saved_at = time.monotonic()
        self._seconds = 0.0
        self._train_step = self.tf.function(self._step_once, autograph=False)
        self._manager = self._restore()

    @property
    def parameters(self) -> int:
        """Number of parameters of the model."""
        return int(self.model.count_params())

    def run(self, stopped: Callable[[], bool]) -> bool:
        """Train to the end; whether `stopped` ended it early. State is saved then, and about every minute."""
        job, per_epoch = self.job, self.job.steps_per_epoch
        while int(self.step) < job.steps:
            epoch, done = divmod(int(self.step), per_epoch)
            if self._epoch(epoch, done, stopped):
                self.save()
                return True
            self._finish_epoch(epoch + 1)
        return False

    def best_model(self) -> Any:
        """The model with the weights that validated best.

        Raises:
            ConfigError: no epoch was finished yet.
        """
        if self.best is None:
            raise ConfigError(f"{self.job.run}: no epoch was finished, so there are no weights to use. Train on.")
        prefix = self.job.run / _CHECKPOINTS / self.best["file"]
        model = build(self.job.train.spec)
        self.tf.train.Checkpoint(model=model).read(str(prefix)).assert_existing_objects_matched()
        return model

    def save(self) -> None:
        """Save the state: first the weights, then what is told about them."""
        self._manager.save(checkpoint_number=int(self.step))
        state = {"step": int(self.step), "seconds": self._seconds, "best": self.best, "history": self.history}
        write_json(self.job.run / STATE_NAME, state)
        self._saved_at = time.monotonic()

    def _epoch(self, epoch: int, done: int, stopped: Callable[[], bool]) -> bool:
        """The rest of an epoch; whether it was stopped."""
        job, recipe = self.job, self.job.recipe
        self._losses: list[float] = []
        begin = last = time.monotonic()
        told = 0.0
        count = 0
        for batch in training_batches(job.train, recipe.batch_size, epoch, skip=done):
            rate = learning_rate(recipe, int(self.step), job.steps)
            self.optimizer.learning_rate.assign(rate)
            self._losses.append(float(self._train_step(*batch)))
            self.step.assign_add(1)
            count += int(batch[0].shape[0])
            now = time.monotonic()
            self._seconds += now - last
            last = now
            if not math.isfinite(self._losses[-1]):
                raise DataError(
                    f"{job.run}: the loss became {self._losses[-1]} at step {int(self.step)}; expected a number. "
                    "Use a smaller --learning-rate."
                )
            if now - told > _TELL_EVERY_S or int(self.step) % job.steps_per_epoch == 0:
                told = now
                self._tell_step(rate, count / (now - begin))
            if stopped():
                return True
            if now - self._saved_at > _SAVE_EVERY_S:
                self.save()
                last = time.monotonic()
        return False

    def _tell_step(self, rate: float, speed: float) -> None:
        losses = {"Loss/total_loss": float(np.mean(self._losses))}
        self.emit(
            "step",
            step=int(self.step),
            steps=self.job.steps,
            losses=losses,
            learning_rate=rate,
            images_per_s=speed,
        )

    def _finish_epoch(self, epoch: int) -> None:
        """Validate, keep the weights if they are the best, save, tell."""
        if not self.job.recipe.ema:
            self.average.set_weights(self.model.get_weights())
        begin = time.monotonic()
        loss, error = self.validate()
        self._seconds += time.monotonic() - begin
        row = {
            "epoch": epoch,
            "step": int(self.step),
            "learning_rate": float(self.optimizer.learning_rate.numpy()),
            "loss": float(np.mean(self._losses)) if self._losses else None,
            "val_loss": loss,
            "val_error": error,
            "seconds": round(self._seconds, 1),
        }
        self.history.append(row)
        if self.best is None or error < self.best["val_error"]:
            old, self.best = self.best, {**row, "file": f"{_BEST}-{epoch}"}
            self.tf.train.Checkpoint(model=self.average).write(str(self.job.run / _CHECKPOINTS / self.best["file"]))
        else:
            old = None
        self.save()
        if old is not None:
            for path in (self.job.run / _CHECKPOINTS).glob(f"{old['file']}.*"):
                path.unlink()
        self.emit("epoch", epochs=self.job.recipe.epochs, best=self.best["epoch"], **row)

    def validate(self) -> tuple[float, float]:
        """Mean loss, and mean distance of labelled points as a share of the input's side; of the averaged weights."""
        spec = self.job.val.spec
        loss = self._loss()
        sums = np.zeros(2)
        count = 0
        errors = []
        for images, target, points, weights in plain_batches(self.job.val, _VALIDATION_BATCH):
            outputs = self.average(self._pixels(images), training=False)
            sums[0] += float(loss(outputs, target, points, weights)) * len(images)
            count += len(images)
            answer = {name: value.numpy() for name, value in served(self.average, spec, images).items()}
            for (found, _), true, known in zip(decode_answer(answer, spec, None), points, weights, strict=True):
                far = np.hypot(*(np.asarray(found) / spec.input_px - true.numpy()).T)
                errors.append(far[known.numpy() > 0])
        flat = np.concatenate(errors) if errors else np.zeros(0)
        if not flat.size:
            raise DataError(f"{self.job.run}: no labelled point in val, so no weights can be called the best.")
        return float(sums[0] / count), float(flat.mean())

    def _step_once(self, images: Any, target: Any, points: Any, weights: Any) -> Any:
        tf = self.tf
        with tf.GradientTape() as tape:
            outputs = self.model(self._pixels(images), training=True)
            loss = self._loss()(outputs, target, points, weights)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        if self.job.recipe.ema:
            done = tf.cast(self.step, tf.float32)
            stay = tf.minimum(float(self.job.recipe.ema), (1.0 + done) / (10.0 + done))
            for mean, value in zip(self.average.weights, self.model.weights, strict=True):
                mean.assign(mean * stay + value * (1.0 - stay))
        return loss

    def _pixels(self, images: Any) -> Any:
        return self.tf.cast(images, self.tf.float32) / 255.0

    def _fresh_model(self) -> Any:
        return with_wide_kernels_in_frequency(build(self.job.train.spec))

    def _loss(self) -> Loss:
        return loss_of(self.job.train.spec, self.job.recipe.loss)

    def _optimizer(self) -> Any:
        recipe, optimizers = self.job.recipe, self.keras.optimizers
        if recipe.optimizer == "rmsprop":
            return optimizers.RMSprop(recipe.learning_rate, jit_compile=False)
        return optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay, clipnorm=10.0, jit_compile=False
        )

    def _restore(self) -> Any:
        """A manager of checkpoints, after taking up the last one."""
        folder = make_folder(self.job.run / _CHECKPOINTS)
        checkpoint = self.tf.train.Checkpoint(
            model=self.model, average=self.average, optimizer=self.optimizer, step=self.step
        )
        manager = self.tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2, checkpoint_name="last")
        if manager.latest_checkpoint and (self.job.run / STATE_NAME).is_file():
            checkpoint.restore(manager.latest_checkpoint).assert_consumed()
            state = read_json(self.job.run / STATE_NAME, what="state of a training")
            self.history = [row for row in state["history"] if row["step"] <= int(self.step)]
            self.best, self._seconds = state["best"], float(state["seconds"])
            self.emit("resumed", step=int(self.step))
        return manager
