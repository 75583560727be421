"""The training loop that `model_main_tf2` runs in place of `model_lib_v2.train_loop`.

Model, input, optimizer, losses and one training step are the OD API's own. What differs is the loop around them:
it runs exactly the steps asked for, reports every step, stops on a signal with a checkpoint, always saves the
last step, keeps batch-normalisation statistics that fit the schedule (see `batch_norm`), looks at the validation
pictures on the way, and ends where the loss is no number any more.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import KptToolsError
from kpt_tools.fsio import write_json
from kpt_tools.odapi import (
    batch_norm,
    batch_norm_unfold,
    box_neighbours,
    checkpoints,
    events,
    first_batch,
    pipeline_config,
    transfer,
    transfer_plan,
    workers,
)
from kpt_tools.odapi.loss_watch import LossWatch
from kpt_tools.odapi.memory import tell_peak_memory
from kpt_tools.odapi.stop_signal import StopSignal
from kpt_tools.odapi.train_parts import Parts, build, forward_in_training_mode, train_step
from kpt_tools.odapi.train_report import TOTAL_LOSS, Reporter
from kpt_tools.odapi.train_state import TrainState
from kpt_tools.odapi.validation import Validation
from kpt_tools.odapi.weight_averages import WeightAverages

STATISTICS_IMAGES = 200
"""Images that the batch-normalisation statistics are estimated from before a checkpoint, in at most ..."""
STATISTICS_BATCHES = 25
"""... so many batches, for a forward pass of a large network takes seconds on a CPU."""


@dataclass(frozen=True)
class LoopOptions:
    """What `model_main_tf2` has no flags for.

    Attributes:
        seed: of weights, shuffling and augmentation.
        transfer: what to take from fine_tune_checkpoint.
        ema: decay of the weights' moving average; 0.0 for none.
        validate_every: look at each so-many-th validation picture at every checkpoint; 0: at none.
        validated_step: the last checkpoint that was validated, for a run that is resumed.
        one_batch: train on the first batch only, again and again.
        keep_decoded: decode the training pictures once and keep them in memory.
        worker_index: which of several workers this is.
        degrees: turn pictures by up to so many.
        box_cells: how many cells learn a box; more than 1: see `box_neighbours`.
    """

    seed: int | None = None
    transfer: str = transfer_plan.MATCH
    ema: float = 0.0
    validate_every: int = 0
    validated_step: int = 0
    one_batch: bool = False
    keep_decoded: bool = False
    worker_index: int = 0
    degrees: float = 0.0
    box_cells: int = 1


def train_loop(
    pipeline_config_path: str,
    model_dir: str,
    train_steps: int | None = None,
    checkpoint_every_n: int = 1000,
    record_summaries: bool = False,
    use_tpu: bool = False,
    options: LoopOptions = LoopOptions(),
    **unknown: Any,
) -> None:
    """Train until `train_steps`; the signature is that of `model_lib_v2.train_loop`, plus `options`.

    Raises:
        TypeError: an argument that this loop does not know (so that nothing is ignored silently).
        KptToolsError: the checkpoint to start from does not fit, or no checkpoint of the run can be read.
    """
    if unknown:
        raise TypeError(f"train_loop: unknown arguments {sorted(unknown)}")
    import tensorflow as tf

    stop = StopSignal()
    if options.seed is not None:
        tf.keras.utils.set_random_seed(_seed(options.seed + options.worker_index, model_dir))
    events.emit("phase", name="building the model")
    parts = build(
        pipeline_config_path,
        train_steps,
        record_summaries,
        use_tpu,
        one_batch=options.one_batch,
        keep_decoded=options.keep_decoded,
        degrees=options.degrees,
    )
    steps = train_steps or int(parts.train_config.num_steps)
    events.emit("batch_norm", **batch_norm.fit_momentum(parts.model, steps))
    try:
        _load_fine_tune_checkpoint(parts, pipeline_config_path, model_dir, options.transfer)
        if options.box_cells > 1:
            with tf.distribute.get_strategy().scope():
                box_neighbours.supervise(parts.model)
        averages = _averages(parts, options.ema)
        state = TrainState(parts, averages, model_dir)
        state.resume()
    except KptToolsError as exc:
        events.emit("refused", error=type(exc).__name__, message=str(exc))
        raise
    validates = options.validate_every and workers.is_chief()
    validation = Validation(parts, model_dir, options.validate_every) if validates else None
    loop = _Loop(parts, steps, model_dir, state, averages, validation, stop)
    loop.catch_up(options.validated_step)
    loop.run(checkpoint_every_n)


def _seed(seed: int, model_dir: str) -> int:
    """Another one for each step that a run is resumed from, or it would see the same pictures first each time."""
    last = checkpoints.latest(Path(model_dir))
    return (seed + (last.step if last else 0)) % 2**32


def _load_fine_tune_checkpoint(parts: Parts, config_path: str, model_dir: str, mode: str) -> None:
    """Start from the config's checkpoint, and tell what was taken over; a run that is resumed has its own."""
    import tensorflow as tf

    config = parts.train_config
    is_resumed = workers.agreement()(bool(tf.train.latest_checkpoint(model_dir)))
    if not config.fine_tune_checkpoint or is_resumed:
        return
    events.emit("phase", name="loading the fine-tune checkpoint")
    with tf.distribute.get_strategy().scope():
        parts.make_variables()
        message = pipeline_config.read(Path(config_path))
        report = transfer.transfer(parts.model, message, Path(config.fine_tune_checkpoint), mode)
    unfolded = _unfold(parts)
    write_json(Path(model_dir) / transfer.FILE_NAME, {**report.details(), "unfolded": unfolded})
    events.emit("transfer", **report.summary(), unfolded=unfolded)


def _unfold(parts: Parts) -> int:
    """Make batch normalisations fit for training that came folded into convolutions; their number."""
    import tensorflow as tf
    from object_detection.core import standard_fields

    fields, strategy = standard_fields.InputDataFields, tf.distribute.get_strategy()

    def forward(features: Any) -> None:
        parts.model._is_training = False
        tf.keras.backend.set_learning_phase(False)
        image, shape = (
            strategy.experimental_local_results(features[name])[0] for name in (fields.image, fields.true_image_shape)
        )
        parts.model.predict(image, shape)

    if not batch_norm_unfold.folded_layers(parts.model):
        return 0
    events.emit("phase", name="estimating statistics of folded batch normalisations")
    batches = statistics_batches(parts.batch_size, STATISTICS_IMAGES)
    return batch_norm_unfold.unfold(parts.model, forward, (batch[0] for batch in parts.dataset), batches)


def _averages(parts: Parts, decay: float) -> WeightAverages | None:
    import tensorflow as tf

    if not decay:
        return None
    with tf.distribute.get_strategy().scope():
        parts.make_variables()
        return WeightAverages(parts.model.trainable_variables, decay)


class _Loop:
    """The loop itself, with everything that it works on."""

    def __init__(
        self,
        parts: Parts,
        steps: int,
        model_dir: str,
        state: TrainState,
        averages: WeightAverages | None,
        validation: Validation | None,
        stop: StopSignal,
    ) -> None:
        import tensorflow as tf

        self._parts, self._steps, self._model_dir = parts, steps, model_dir
        self._state, self._averages, self._validation = state, averages, validation
        self._iterator = iter(parts.dataset)
        self._train_step = train_step(parts, averages)
        self._statistics = batch_norm.Statistics(parts.model, forward_in_training_mode(parts))
        self._reporter = Reporter(
            steps,
            parts.batch_size,
            parts.learning_rate,
            tf.summary.create_file_writer(os.path.join(model_dir, "train")),
        )
        self._agree = workers.agreement()
        self._stop = stop
        self._enough = False

    def _interrupted(self) -> bool:
        """Whether any worker was told to stop; all of them ask together."""
        return self._agree(self._stop())

    def catch_up(self, validated_step: int) -> None:
        """Validate the checkpoint that the run is resumed from, if it was killed before that was done."""
        step = int(self._parts.global_step.numpy())
        if self._validation and step > validated_step:
            with self._averages.in_place() if self._averages else contextlib.nullcontext():
                self._validate(step)

    def run(self, checkpoint_every: int) -> None:
        """Train to the last step, to a signal, to a loss that is no number, or until the parent says enough."""
        saved = step = int(self._parts.global_step.numpy())
        watch = LossWatch()
        first_batch.tell(next(self._iterator), Path(self._model_dir))
        events.emit("phase", name="tracing the first step")
        while step < self._steps and not self._agree(self._stop() or self._enough):
            losses = self._train_step(self._iterator)
            step += 1
            trouble = watch.look(float(losses[TOTAL_LOSS]))
            if trouble:
                events.emit("diverged", step=step, reason=trouble)
                return
            self._reporter.after_step(step, losses)
            if step - saved >= checkpoint_every and step < self._steps:
                self._save(step)
                saved = step
            self._hear_answers()
        if step > saved or not self._state.saved:
            self._save(step)
        self._hear_answers(wait=True)
        self._reporter.close()
        tell_peak_memory()
        events.emit("done" if step >= self._steps else "stopped", step=step)

    def _save(self, step: int) -> None:
        """Save a checkpoint that is as good as it can be, and see what it detects.

        On a signal the user waits: then the moving averages, which the fitted momentum has kept current, must do,
        and nothing is detected.
        """
        batches = 0
        with self._averages.in_place() if self._averages else contextlib.nullcontext():
            if not self._interrupted():
                events.emit("phase", name="estimating batch-normalisation statistics")
                wanted = statistics_batches(self._parts.batch_size, step)
                batches = self._statistics.reestimate(self._iterator, wanted, self._interrupted)
            path = self._state.save(step, batches)
            events.emit("checkpoint", step=step, path=path, statistics_batches=batches)
            self._validate(step)
        events.emit("phase", name="training")

    def _validate(self, step: int) -> None:
        if self._validation and not self._stop():
            events.emit("phase", name="detecting in the validation pictures")
            self._validation.run(step, self._stop)

    def _hear_answers(self, *, wait: bool = False) -> None:
        if self._validation is None:
            return
        for answer in self._validation.answers(wait=wait, stop=self._stop):
            self._reporter.validated(answer["step"], answer["scores"])
            self._enough = self._enough or bool(answer["stop"])


def statistics_batches(batch_size: int, step: int) -> int:
    """How many batches to estimate the statistics from: not more than were trained on."""
    return max(1, min(STATISTICS_BATCHES, -(-STATISTICS_IMAGES // max(batch_size, 1)), step))
