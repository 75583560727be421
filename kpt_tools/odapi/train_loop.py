"""The training loop that `model_main_tf2` runs in place of `model_lib_v2.train_loop`.

Model, input, optimizer, losses and one training step are the OD API's own. What differs is the loop around them:
it runs exactly the steps asked for, reports every step, stops on a signal with a checkpoint, always saves the
last step, and keeps batch-normalisation statistics that fit the schedule (see `batch_norm`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import KptToolsError
from kpt_tools.fsio import write_json
from kpt_tools.odapi import batch_norm, events, pipeline_config, transfer, transfer_plan
from kpt_tools.odapi.stop_signal import StopSignal

EVENT_INTERVAL_S = 0.5
SUMMARY_EVERY_STEPS = 20
STATISTICS_IMAGES = 200
"""Images that the batch-normalisation statistics are estimated from before a checkpoint, in at most ..."""
STATISTICS_BATCHES = 25
"""... so many batches, for a forward pass of a large network takes seconds on a CPU."""


@dataclass
class _Parts:
    """What a run is made of, built once."""

    model: Any
    optimizer: Any
    learning_rate: Callable[[], Any]
    global_step: Any
    dataset: Any
    batch_size: int
    train_config: Any


def train_loop(
    pipeline_config_path: str,
    model_dir: str,
    train_steps: int | None = None,
    checkpoint_every_n: int = 1000,
    record_summaries: bool = False,
    use_tpu: bool = False,
    seed: int | None = None,
    transfer_mode: str = transfer_plan.MATCH,
    **unknown: Any,
) -> None:
    """Train until `train_steps`; the signature is that of `model_lib_v2.train_loop`, plus `seed` and `transfer_mode`.

    Raises:
        TypeError: an argument that this loop does not know (so that nothing is ignored silently).
    """
    if unknown:
        raise TypeError(f"train_loop: unknown arguments {sorted(unknown)}")
    import tensorflow as tf

    stop = StopSignal()
    if seed is not None:
        tf.keras.utils.set_random_seed(seed)
    events.emit("phase", name="building the model")
    parts = _build(pipeline_config_path, train_steps, record_summaries, use_tpu)
    steps = train_steps or int(parts.train_config.num_steps)
    events.emit("batch_norm", **batch_norm.fit_momentum(parts.model, steps))
    _load_fine_tune_checkpoint(parts, pipeline_config_path, model_dir, transfer_mode)
    checkpoint = tf.train.Checkpoint(step=parts.global_step, model=parts.model, optimizer=parts.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, model_dir, max_to_keep=3)
    if manager.latest_checkpoint:
        checkpoint.restore(manager.latest_checkpoint)
        events.emit("resumed", step=int(parts.global_step), checkpoint=manager.latest_checkpoint)
    _run(parts, steps, manager, checkpoint_every_n, model_dir, stop)


def _build(pipeline_config_path: str, train_steps: int | None, record_summaries: bool, use_tpu: bool) -> _Parts:
    import tensorflow as tf
    from object_detection import inputs, model_lib_v2
    from object_detection.builders import optimizer_builder
    from object_detection.utils import config_util

    configs = config_util.get_configs_from_pipeline_file(pipeline_config_path)
    configs = config_util.merge_external_params_with_configs(
        configs, None, kwargs_dict={"train_steps": train_steps, "use_bfloat16": use_tpu}
    )
    train_config = configs["train_config"]
    strategy = tf.distribute.get_strategy()
    with strategy.scope():
        model = model_lib_v2.MODEL_BUILD_UTIL_MAP["detection_model_fn_base"](
            model_config=configs["model"], is_training=True, add_summaries=record_summaries
        )

        def train_input(input_context: Any) -> Any:
            return inputs.train_input(
                train_config=train_config,
                train_input_config=configs["train_input_config"],
                model_config=configs["model"],
                model=model,
                input_context=input_context,
            ).repeat()

        without_autograph = tf.autograph.experimental.do_not_convert(train_input)
        dataset = strategy.distribute_datasets_from_function(without_autograph)
        global_step = tf.Variable(
            0,
            trainable=False,
            dtype=tf.int64,
            name="global_step",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        optimizer, (learning_rate,) = optimizer_builder.build(train_config.optimizer, global_step=global_step)
    rate = learning_rate if callable(learning_rate) else lambda: learning_rate
    return _Parts(model, optimizer, rate, global_step, dataset, int(train_config.batch_size), train_config)


def _load_fine_tune_checkpoint(parts: _Parts, config_path: str, model_dir: str, mode: str) -> None:
    """Start from the config's checkpoint, and tell what was taken over; a run that is resumed has its own."""
    import tensorflow as tf
    from object_detection import model_lib_v2

    config = parts.train_config
    if not config.fine_tune_checkpoint or tf.train.latest_checkpoint(model_dir):
        return
    events.emit("phase", name="loading the fine-tune checkpoint")
    with tf.distribute.get_strategy().scope():
        model_lib_v2._ensure_model_is_built(parts.model, parts.dataset, config.unpad_groundtruth_tensors)
        message = pipeline_config.read(Path(config_path))
        try:
            report = transfer.transfer(parts.model, message, Path(config.fine_tune_checkpoint), mode)
        except KptToolsError as exc:
            events.emit("refused", error=type(exc).__name__, message=str(exc))
            raise
    write_json(Path(model_dir) / transfer.FILE_NAME, report.details())
    events.emit("transfer", **report.summary())


def _run(parts: _Parts, steps: int, manager: Any, checkpoint_every_n: int, model_dir: str, stop: StopSignal) -> None:
    import tensorflow as tf

    iterator = iter(parts.dataset)
    train_step = _train_step(parts)
    statistics = _statistics(parts)
    writer = tf.summary.create_file_writer(os.path.join(model_dir, "train"))
    reporter = _Reporter(parts, steps, writer)
    saved = step = int(parts.global_step)
    events.emit("phase", name="tracing the first step")
    while step < steps and not stop():
        losses = train_step(iterator)
        step += 1
        reporter.after_step(step, losses)
        if step - saved >= checkpoint_every_n and step < steps:
            _save(parts, manager, statistics, iterator, step, stop)
            saved = step
    if step > saved or not manager.latest_checkpoint:
        # On a signal the user waits: keep the moving averages, which the fitted momentum has kept current.
        _save(parts, manager, None if stop() else statistics, iterator, step, stop)
    writer.close()
    events.emit("done" if step >= steps else "stopped", step=step)


def _train_step(parts: _Parts) -> Callable[[Any], Any]:
    import tensorflow as tf
    from object_detection import model_lib_v2

    strategy = tf.distribute.get_strategy()
    config = parts.train_config
    clip = config.gradient_clipping_by_norm if config.gradient_clipping_by_norm > 0 else None

    def one_replica(features: Any, labels: Any) -> Any:
        losses = model_lib_v2.eager_train_step(
            parts.model,
            features,
            labels,
            config.unpad_groundtruth_tensors,
            parts.optimizer,
            training_step=parts.global_step,
            add_regularization_loss=config.add_regularization_loss,
            clip_gradients_value=clip,
            num_replicas=strategy.num_replicas_in_sync,
        )
        parts.global_step.assign_add(1)
        return losses

    # The OD API is written for graphs: without AutoGraph the same graph is traced in two thirds of the time.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def train_step(iterator: Any) -> Any:
        features, labels = iterator.get_next()
        losses = strategy.run(one_replica, args=(features, labels))
        return model_lib_v2.reduce_dict(strategy, losses, tf.distribute.ReduceOp.SUM)

    return train_step  # type: ignore[no-any-return, unused-ignore]


def _statistics(parts: _Parts) -> batch_norm.Statistics:
    import tensorflow as tf
    from object_detection.core import standard_fields

    fields = standard_fields.InputDataFields

    def one_replica(features: Any) -> None:
        parts.model._is_training = True
        tf.keras.backend.set_learning_phase(True)
        parts.model.predict(features[fields.image], features[fields.true_image_shape])

    def forward(batch: Any) -> None:
        tf.distribute.get_strategy().run(one_replica, args=(batch[0],))

    return batch_norm.Statistics(parts.model, forward)


def _save(
    parts: _Parts,
    manager: Any,
    statistics: batch_norm.Statistics | None,
    iterator: Any,
    step: int,
    stop: Callable[[], bool],
) -> None:
    batches = 0
    if statistics is not None:
        events.emit("phase", name="estimating batch-normalisation statistics")
        batches = statistics.reestimate(iterator, statistics_batches(parts.batch_size, step), stop)
    path = manager.save(checkpoint_number=step)
    events.emit("checkpoint", step=step, path=path, statistics_batches=batches)


def statistics_batches(batch_size: int, step: int) -> int:
    """How many batches to estimate the statistics from: not more than were trained on."""
    return max(1, min(STATISTICS_BATCHES, -(-STATISTICS_IMAGES // max(batch_size, 1)), step))


class _Reporter:
    """Sends progress events and writes TensorBoard summaries."""

    def __init__(self, parts: _Parts, steps: int, writer: Any) -> None:
        self._parts = parts
        self._steps = steps
        self._writer = writer
        self._last_event = 0.0
        self._last_step = 0
        self._clock = time.monotonic()

    def after_step(self, step: int, losses: Any) -> None:
        import tensorflow as tf

        if step % SUMMARY_EVERY_STEPS == 0 or step == self._steps:
            with self._writer.as_default(step=step):
                for name, value in losses.items():
                    tf.summary.scalar(name, value)
                tf.summary.scalar("learning_rate", self._parts.learning_rate())
        now = time.monotonic()
        if now - self._last_event < EVENT_INTERVAL_S and step < self._steps:
            return
        done = step - self._last_step if self._last_step else 1
        rate = done * self._parts.batch_size / max(now - self._clock, 1e-9)
        events.emit(
            "step",
            step=step,
            steps=self._steps,
            losses={name: float(value) for name, value in losses.items()},
            learning_rate=float(self._parts.learning_rate()),
            images_per_s=rate,
        )
        self._last_event, self._last_step, self._clock = now, step, now
