"""What a training is made of: model, input, optimizer, built by the OD API's own builders."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kpt_tools.odapi import (
    fast_gradients,
    float16_step,
    keypoint_heatmaps,
    padded_batch_norm,
    precision,
    sparse_heads,
    train_input,
)


@dataclass
class Parts:
    """What a run is made of, built once.

    Attributes:
        model: the detection model.
        optimizer: of tf_keras.
        learning_rate: its rate at the present step.
        global_step: int64 variable.
        dataset: distributed batches (features, labels), without end.
        batch_size: images per step.
        train_config: the message of the pipeline.config.
        eval_records: patterns of the validation shards.
        has_variables: a Keras model has its variables only after it was called.
    """

    model: Any
    optimizer: Any
    learning_rate: Callable[[], Any]
    global_step: Any
    dataset: Any
    batch_size: int
    train_config: Any
    eval_records: tuple[str, ...]
    has_variables: bool = False

    def make_variables(self) -> None:
        """Call the model once, if it was not yet; in the scope of the strategy."""
        from object_detection import model_lib_v2

        if not self.has_variables:
            unpad = self.train_config.unpad_groundtruth_tensors
            model_lib_v2._ensure_model_is_built(self.model, self.dataset, unpad)
            self.has_variables = True


def build(
    pipeline_config_path: str,
    train_steps: int | None,
    record_summaries: bool,
    use_tpu: bool,
    *,
    one_batch: bool = False,
    keep_decoded: bool = False,
    degrees: float = 0.0,
) -> Parts:
    """Build everything that `model_lib_v2.train_loop` would, in the same way.

    With `one_batch`, the input is its first batch again and again; with `keep_decoded`, pictures are decoded once; with
    `degrees`, they are turned by up to so many.
    """
    import tensorflow as tf
    from object_detection import model_lib_v2
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
        if not tf.config.list_logical_devices("GPU"):
            fast_gradients.install(model)
            if precision.is_bfloat16() and fast_gradients.install_depthwise(model):
                precision.depthwise_gradients_in_bfloat16()

        if precision.is_float16():
            model.predict = float16_step.heads_in_float32(model.predict)

        def batches_for(context: Any) -> Any:
            with own_input(configs, keep_decoded, degrees):
                batches = _batches(configs, model, context)
            return (batches.take(1).cache() if one_batch else batches).repeat()

        without_autograph = tf.autograph.experimental.do_not_convert(batches_for)
        dataset = strategy.distribute_datasets_from_function(without_autograph)
        global_step = tf.Variable(
            0,
            trainable=False,
            dtype=tf.int64,
            name="global_step",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        optimizer, (learning_rate,) = optimizer_builder.build(train_config.optimizer, global_step=global_step)
    return Parts(
        model=model,
        optimizer=optimizer,
        learning_rate=learning_rate if callable(learning_rate) else lambda: learning_rate,
        global_step=global_step,
        dataset=dataset,
        batch_size=int(train_config.batch_size),
        train_config=train_config,
        eval_records=tuple(
            path for reader in configs["eval_input_configs"] for path in reader.tf_record_input_reader.input_path
        ),
    )


def _batches(configs: Any, model: Any, context: Any) -> Any:
    """The OD API's training input. Each worker reads all records, in its own order: there may be fewer than workers."""
    import tensorflow as tf
    from object_detection import inputs

    return inputs.train_input(
        train_config=configs["train_config"],
        train_input_config=configs["train_input_config"],
        model_config=configs["model"],
        model=model,
        input_context=tf.distribute.InputContext(num_replicas_in_sync=context.num_replicas_in_sync),
    )


@contextlib.contextmanager
def own_input(configs: Any, keep_decoded: bool, degrees: float) -> Iterator[None]:
    """`object_detection.inputs` uses `kpt_tools.odapi.train_input` inside the block."""
    from object_detection import inputs
    from object_detection.utils import config_util

    resizer = config_util.get_image_resizer_config(configs["model"])
    own = train_input.dataset_builder(resizer, configs["train_config"], keep_decoded=keep_decoded, degrees=degrees)
    theirs = inputs.INPUT_BUILDER_UTIL_MAP["dataset_build"]
    inputs.INPUT_BUILDER_UTIL_MAP["dataset_build"] = own
    try:
        yield
    finally:
        inputs.INPUT_BUILDER_UTIL_MAP["dataset_build"] = theirs


def train_step(parts: Parts, averages: Any = None) -> Callable[[Any], Any]:
    """One training step of the OD API as a graph: takes the iterator, returns the losses.

    Args:
        parts: of the run.
        averages: updated after each step, if given; see `weight_averages`.
    """
    import tensorflow as tf
    from object_detection import model_lib_v2

    strategy = tf.distribute.get_strategy()
    config = parts.train_config
    has_gpu = bool(tf.config.list_logical_devices("GPU"))
    clip = config.gradient_clipping_by_norm if config.gradient_clipping_by_norm > 0 else None

    optimizer, eager_train_step = parts.optimizer, model_lib_v2.eager_train_step
    if precision.is_float16():
        eager_train_step = float16_step.eager_train_step
        with strategy.scope():
            optimizer = float16_step.scaled(optimizer)

    def one_replica(features: Any, labels: Any) -> Any:
        losses = eager_train_step(
            parts.model,
            features,
            labels,
            config.unpad_groundtruth_tensors,
            optimizer,
            training_step=parts.global_step,
            add_regularization_loss=config.add_regularization_loss,
            clip_gradients_value=clip,
            num_replicas=strategy.num_replicas_in_sync,
        )
        parts.global_step.assign_add(1)
        return losses

    # The OD API is written for graphs: without AutoGraph the same graph is traced in two thirds of the time.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def step(iterator: Any) -> Any:
        features, labels = iterator.get_next()
        sparse = contextlib.nullcontext() if has_gpu else sparse_heads.in_training(parts.model)
        padded = padded_batch_norm.in_tracing() if precision.is_bfloat16() else contextlib.nullcontext()
        with keypoint_heatmaps.each_in_its_channel(parts.model), sparse, padded:
            losses = strategy.run(one_replica, args=(features, labels))
        if averages is not None:
            averages.update(parts.global_step)
        return model_lib_v2.reduce_dict(strategy, losses, tf.distribute.ReduceOp.SUM)

    return step  # type: ignore[no-any-return, unused-ignore]


def forward_in_training_mode(parts: Parts) -> Callable[[Any], None]:
    """The model's forward pass on a batch of the training input, as batch normalisation sees it."""
    import tensorflow as tf
    from object_detection.core import standard_fields

    fields = standard_fields.InputDataFields

    def one_replica(features: Any) -> None:
        parts.model._is_training = True
        tf.keras.backend.set_learning_phase(True)
        parts.model.predict(features[fields.image], features[fields.true_image_shape])

    def forward(batch: Any) -> None:
        tf.distribute.get_strategy().run(one_replica, args=(batch[0],))

    return forward
