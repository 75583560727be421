from __future__ import annotations

import numpy as np
import pytest

from kpt_tools.odapi import fast_gradients

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")
pytestmark = pytest.mark.odapi


def network() -> tf.keras.Sequential:
    layers = [
        tf.keras.layers.Conv2D(32, 3, padding="same", activation="relu", input_shape=(12, 10, 3)),
        tf.keras.layers.Conv2D(4, 1, name="narrow"),
        tf.keras.layers.Conv2D(24, 1, name="wide"),
        tf.keras.layers.Conv2D(2, 1, strides=2, name="strided"),
        tf.keras.layers.Conv2D(2, 1, use_bias=False, name="without_bias"),
    ]
    return tf.keras.Sequential(layers)


def loss_and_gradients(model: tf.keras.Sequential, images: np.ndarray) -> tuple[float, list[np.ndarray]]:
    @tf.function
    def compute(batch: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(batch, training=True) - 0.3))
        return loss, tape.gradient(loss, model.trainable_variables)

    loss, gradients = compute(tf.constant(images))
    return float(loss), [gradient.numpy() for gradient in gradients]


def test_loss_and_gradients_are_the_same() -> None:
    plain = network()
    fast = network()
    fast.set_weights(plain.get_weights())
    assert fast_gradients.install(fast) == 2
    changed = [layer.name for layer in fast.layers if layer.convolution_op is fast_gradients.pointwise_convolution]
    assert changed == ["narrow", "without_bias"]
    images = np.random.default_rng(0).normal(size=(5, 12, 10, 3)).astype(np.float32)
    loss, gradients = loss_and_gradients(plain, images)
    fast_loss, fast_ones = loss_and_gradients(fast, images)
    assert fast_loss == pytest.approx(loss, rel=1e-6)
    assert len(gradients) == len(fast_ones) == 9
    for gradient, fast_one in zip(gradients, fast_ones, strict=True):
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(fast_one, gradient, rtol=1e-4, atol=1e-6)
