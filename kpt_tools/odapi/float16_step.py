"""A training step of the OD API in float16, whose gradients would vanish without scaled losses.

The least float16 is 6e-8, the largest 65504. So the loss is multiplied by a scale before its gradients are taken, and
they are divided by it (Micikevicius et al., Mixed Precision Training, ICLR 2018). Where they overflow, the step changes
no weight and the scale is halved; after 2000 steps without that it is doubled: Keras' `LossScaleOptimizer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def heads_in_float32(predict: Callable[..., Any]) -> Callable[..., Any]:
    """A model's `predict`, its float16 tensors cast to float32; the OD API casts only those of bfloat16."""
    import tensorflow as tf

    def cast(value: Any) -> Any:
        return tf.cast(value, tf.float32) if tf.is_tensor(value) and value.dtype == tf.float16 else value

    return lambda *args, **params: tf.nest.map_structure(cast, predict(*args, **params))


def scaled(optimizer: Any) -> Any:
    """The optimizer with a scale of its own; in the scope of the strategy.

    Checkpoints hold the optimizer itself, so they are the same in every precision; the scale begins anew, at 2^15, in
    each process, and the first steps may be skipped until it fits.
    """
    import tensorflow as tf

    return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)


def apply(
    optimizer: Any, losses: Callable[[], dict[str, Any]], variables: Callable[[], Iterable[Any]], clip: float | None
) -> Any:
    """One step; clipping looks at gradients that are no longer scaled.

    Args:
        optimizer: of `scaled`.
        losses: computes them, float32 []; that by the name "Loss/total_loss" is minimised.
        variables: what to change; a model has them only after it was called.
        clip: the largest global norm of the gradients, if any.

    Returns:
        The losses, not scaled.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        found = losses()
        loss = optimizer.get_scaled_loss(found["Loss/total_loss"])
    changed = list(variables())
    gradients = optimizer.get_unscaled_gradients(tape.gradient(loss, changed))
    if clip:
        gradients, _ = tf.clip_by_global_norm(gradients, clip)  # all are NaN if one is not finite: the step is skipped
    optimizer.apply_gradients(zip(gradients, changed, strict=True))
    return found


def eager_train_step(
    model: Any,
    features: Any,
    labels: Any,
    unpad_groundtruth_tensors: bool,
    optimizer: Any,
    training_step: Any,
    add_regularization_loss: bool,
    clip_gradients_value: float | None,
    num_replicas: int,
) -> Any:
    """`model_lib_v2.eager_train_step` with scaled losses: its arguments, but an optimizer of `scaled`."""
    import tensorflow as tf
    from object_detection import model_lib, model_lib_v2

    model._is_training = True
    tf.keras.backend.set_learning_phase(True)
    unstacked = model_lib.unstack_batch(labels, unpad_groundtruth_tensors=unpad_groundtruth_tensors)

    def losses() -> Any:
        found, _ = model_lib_v2._compute_losses_and_predictions_dicts(
            model, features, unstacked, training_step=training_step, add_regularization_loss=add_regularization_loss
        )
        return model_lib_v2.normalize_dict(found, num_replicas)

    return apply(optimizer, losses, lambda: model.trainable_variables, clip_gradients_value)
