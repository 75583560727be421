"""Whether 16 bits are faster than float32 here: measured on a few layers such as networks have, in a second or two.

On a CPU, processor time is compared, not time on the clock, so other work on the machine decides nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from kpt_tools.odapi import events
from kpt_tools.odapi.precision import (
    AUTO,
    BFLOAT16,
    FLOAT32,
    apply_to_device,
    cpu_has_bfloat16,
    has_gpu,
    of_gpus,
)

WORTHWHILE = 1.1
"""16 bits have to be so many times as fast: they have fewer digits."""
_REPEATS = 5
_IMAGES_SHAPE = (4, 64, 64, 32)


def settle(precision: str) -> None:
    """Make TensorFlow compute in `precision`, before a model is built; emits the event ``precision``.

    Args:
        precision: "float32", "bfloat16", "float16", or "auto": where the CPU or the GPUs compute in 16 bits, that
            which is faster, elsewhere float32.

    Raises:
        ConfigError: float16 without a GPU.
    """
    if precision != AUTO:
        apply_to_device(precision)
        events.emit("precision", precision=precision, speedup=None)
        return
    low = of_gpus() if has_gpu() else BFLOAT16 if cpu_has_bfloat16() else None
    if low is None:
        events.emit("precision", precision=FLOAT32, speedup=None)
        return
    speedup = trial(low)
    chosen = low if speedup >= WORTHWHILE else FLOAT32
    apply_to_device(chosen)
    events.emit("precision", precision=chosen, speedup=round(speedup, 2), tried=low)


def trial(low: str) -> float:
    """How many times as fast a training step of some layers is in the precision `low` as in float32."""
    import tensorflow as tf

    clock = time.perf_counter if has_gpu() else time.process_time
    steps = {}
    for name in (FLOAT32, low):
        apply_to_device(name)
        steps[name] = _step()  # layers take the policy that there is when they are made
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(_REPEATS + 1):
        for name, found in seconds.items():
            apply_to_device(name)  # a graph is optimised for the setting that it first runs with
            begin = clock()
            steps[name]()
            found += [clock() - begin] * bool(number)
    tf.keras.backend.reset_uids()  # the layers of the model are numbered as if there had been no trial
    return statistics.median(seconds[FLOAT32]) / max(statistics.median(seconds[low]), 1e-9)


def _step() -> Callable[[], None]:
    """Forward and backward pass through convolutions, a depthwise one with stride, and batch normalisation."""
    import tensorflow as tf

    model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(64, 3, padding="same", input_shape=_IMAGES_SHAPE[1:]),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.ReLU(6.0),
            tf.keras.layers.DepthwiseConv2D(3, strides=2, padding="same"),
            tf.keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        ]
    )
    images = tf.random.stateless_uniform(_IMAGES_SHAPE, (1, 2))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.cast(model(images, training=True), tf.float32)))
        return [tf.reduce_sum(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]

    def step_to_its_end() -> None:
        for value in step():
            value.numpy()  # a GPU is waited for

    return step_to_its_end
