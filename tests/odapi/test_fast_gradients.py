from __future__ import annotations

import numpy as np
import pytest

from kpt_tools.odapi import compat, fast_gradients

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


def assert_same(plain: tf.keras.Sequential, fast: tf.keras.Sequential, images: np.ndarray, count: int) -> None:
    """Loss and all `count` gradients are the same but for rounding, and none is 0."""
    loss, gradients = loss_and_gradients(plain, images)
    fast_loss, fast_ones = loss_and_gradients(fast, images)
    assert fast_loss == pytest.approx(loss, rel=1e-6)
    assert len(gradients) == len(fast_ones) == count
    for gradient, fast_one in zip(gradients, fast_ones, strict=True):
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(fast_one, gradient, rtol=1e-4, atol=1e-6)


def test_loss_and_gradients_are_the_same() -> None:
    plain = network()
    fast = network()
    fast.set_weights(plain.get_weights())
    assert fast_gradients.install(fast) == 2
    changed = [layer.name for layer in fast.layers if layer.convolution_op is fast_gradients.pointwise_convolution]
    assert changed == ["narrow", "without_bias"]
    images = np.random.default_rng(0).normal(size=(5, 12, 10, 3)).astype(np.float32)
    assert_same(plain, fast, images, count=9)


def depthwise_network(size: int, hw: tuple[int | None, int | None]) -> tf.keras.Sequential:
    layers = [
        tf.keras.layers.DepthwiseConv2D(size, strides=2, padding="same", use_bias=False, input_shape=(*hw, 3)),
        tf.keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, depth_multiplier=2),
        tf.keras.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, depth_multiplier=2),
    ]
    return tf.keras.Sequential(layers)


@pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("hw", [(12, 8), (11, 8), (12, 7), (13, 15)], ids=str)
@pytest.mark.parametrize("size", [3, 5, 7])
def test_strided_depthwise_layers_have_the_same_gradients(size: int, hw: tuple[int, int], known: bool) -> None:
    plain = depthwise_network(size, hw if known else (None, None))
    fast = depthwise_network(size, hw if known else (None, None))
    fast.set_weights(plain.get_weights())
    assert fast_gradients.install_depthwise(fast)
    images = np.random.default_rng(1).normal(size=(5, *hw, 3)).astype(np.float32)
    assert_same(plain, fast, images, count=3)


@pytest.mark.parametrize("hw", [(6, 10), (5, 9), (6, 9)], ids=str)
def test_gradient_by_the_input_of_a_strided_depthwise_layer(hw: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    images = tf.constant(random.normal(size=(2, *hw, 4)), tf.float32)
    kernel = tf.constant(random.normal(size=(3, 3, 4, 1)), tf.float32)
    weight = tf.constant(random.normal(size=(2, 3, 5, 4)), tf.float32)

    def by_input(convolution) -> np.ndarray:
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = tf.reduce_sum(weight * convolution(images, kernel))
        return tape.gradient(value, images).numpy()

    expected = by_input(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 2, 2, 1], "SAME"))
    np.testing.assert_allclose(by_input(fast_gradients.halving_depthwise_convolution), expected, rtol=1e-5, atol=1e-6)


def test_odd_sizes_are_computed_as_before() -> None:
    layer = tf.keras.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)
    images = tf.constant(np.random.default_rng(3).normal(size=(1, 7, 8, 2)), tf.float32)
    before = layer(images).numpy()
    assert fast_gradients.install_depthwise(tf.keras.Sequential([layer]))
    np.testing.assert_array_equal(layer(images).numpy(), before)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"use_bias": True}, id="bias"),
        pytest.param({"padding": "valid"}, id="padding"),
        pytest.param({"activation": "relu"}, id="activation"),
        pytest.param({"kernel_size": 2}, id="kernel"),
    ],
)
def test_a_layer_that_does_not_fit_is_left_alone_and_told(settings: dict) -> None:
    wanted = {"kernel_size": 3, "strides": 2, "padding": "same", "use_bias": False, **settings}
    model = tf.keras.Sequential([tf.keras.layers.DepthwiseConv2D(**wanted)])
    assert not fast_gradients.install_depthwise(model)


@pytest.mark.filterwarnings("ignore")
def test_all_strided_layers_of_the_mobile_extractor_fit() -> None:
    pytest.importorskip("object_detection")
    compat.activate()
    from object_detection.models.keras_models import mobilenet_v2

    model = mobilenet_v2.mobilenet_v2(batchnorm_training=True, weights=None, include_top=False, alpha=0.35)
    depthwise = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.DepthwiseConv2D)]
    assert len([layer for layer in depthwise if layer.strides == (2, 2)]) == 4
    assert fast_gradients.install_depthwise(model)
