from __future__ import annotations

import pytest

from kpt_tools.odapi import float16_step

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")
pytestmark = pytest.mark.odapi


def step(weight: object, optimizer: object, factor: float, clip: float | None = None) -> dict[str, object]:
    """Minimise factor x weight, whose gradient is `factor`, through float16."""

    def losses() -> dict[str, object]:
        product = tf.cast(weight, tf.float16) * tf.cast(1.0, tf.float16)
        return {"Loss/total_loss": tf.cast(product, tf.float32) * factor}

    return float16_step.apply(optimizer, losses, lambda: [weight], clip)


def optimizer_of_scale(scale: float) -> object:
    optimizer = float16_step.scaled(tf.keras.optimizers.SGD(1.0))
    optimizer._loss_scale._current_loss_scale.assign(scale)
    return optimizer


def test_small_gradients_do_not_vanish() -> None:
    small = 1e-8  # in float16 that is 0
    without = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        loss = tf.cast(tf.cast(without, tf.float16) * tf.cast(1.0, tf.float16), tf.float32) * small
    assert float(tape.gradient(loss, without)) == 0.0
    weight = tf.Variable(0.0)
    told = step(weight, optimizer_of_scale(2.0**15), small)
    assert float(weight) == pytest.approx(-small, rel=1e-2)
    assert float(told["Loss/total_loss"]) == 0.0


def test_the_loss_that_is_told_is_not_scaled() -> None:
    told = step(tf.Variable(3.0), optimizer_of_scale(1024.0), 2.0)
    assert float(told["Loss/total_loss"]) == 6.0


@pytest.mark.parametrize("clip", [None, 10.0])
def test_a_step_whose_gradients_overflow_is_skipped_and_the_scale_halved(clip: float | None) -> None:
    weight, optimizer = tf.Variable(3.0), optimizer_of_scale(2.0**17)
    step(weight, optimizer, 1.0, clip)
    assert float(weight) == 3.0
    assert float(optimizer.loss_scale) == 2.0**16
    step(weight, optimizer, 1.0, clip)
    step(weight, optimizer, 1.0, clip)
    assert float(weight) == 2.0, "2^16 overflows, too, and 2^15 does not"


def test_clipping_looks_at_gradients_without_the_scale() -> None:
    weight = tf.Variable(0.0)
    step(weight, optimizer_of_scale(1024.0), 2.0, clip=3.0)
    assert float(weight) == -2.0
    step(weight, optimizer_of_scale(1024.0), 2.0, clip=0.5)
    assert float(weight) == -2.5


def test_only_float16_is_cast() -> None:
    given = {
        "heads": [tf.constant([1.0], tf.float16)],
        "image": tf.constant([1.0]),
        "shape": tf.constant([1]),
        "none": None,
    }
    cast = float16_step.heads_in_float32(lambda *args, **params: given)(1, two=2)
    assert (cast["heads"][0].dtype, cast["image"].dtype, cast["shape"].dtype) == (tf.float32, tf.float32, tf.int32)
    assert cast["none"] is None
