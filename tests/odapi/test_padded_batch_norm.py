from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from kpt_tools.odapi import compat, padded_batch_norm, precision, train_parts

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")
pytestmark = pytest.mark.odapi


def network(channels: int, momentum: float = 0.9, **settings: object) -> tf.keras.Sequential:
    layers = [
        tf.keras.layers.Conv2D(channels, 3, padding="same", input_shape=(12, 10, 3)),
        tf.keras.layers.BatchNormalization(momentum=momentum, **settings),
        tf.keras.layers.ReLU(),
        tf.keras.layers.Conv2D(2, 1),
    ]
    return tf.keras.Sequential(layers)


def traced(model: tf.keras.Sequential, images: np.ndarray, *, padded: bool, training: bool = True) -> tuple:
    """Loss, gradients, the variables after that, and the channels of each batch normalisation of the graph."""

    @tf.function(autograph=False)
    def compute(batch: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with padded_batch_norm.in_tracing() if padded else contextlib.nullcontext(), tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(batch, training=training) - 0.3))
        return loss, tape.gradient(loss, model.trainable_variables)

    concrete = compute.get_concrete_function(tf.TensorSpec((None, *images.shape[1:])))
    channels = [op.inputs[0].shape[-1] for op in concrete.graph.get_operations() if op.type == "FusedBatchNormV3"]
    loss, gradients = compute(tf.constant(images))
    return float(loss), [one.numpy() for one in gradients], model.get_weights(), channels


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
@pytest.mark.parametrize("settings", [{}, {"scale": False, "center": False}], ids=["all", "no_scale"])
@pytest.mark.parametrize(("channels", "wide"), [(24, 32), (1, 16), (16, 16), (32, 32), (33, 48)])
def test_loss_gradients_and_moments_are_the_same(
    channels: int, wide: int, settings: dict, momentum: float, training: bool
) -> None:
    plain, fast = network(channels, momentum, **settings), network(channels, momentum, **settings)
    fast.set_weights(plain.get_weights())
    images = np.random.default_rng(0).normal(size=(5, 12, 10, 3)).astype(np.float32)
    loss, gradients, weights, before = traced(plain, images, padded=False, training=training)
    fast_loss, fast_gradients, fast_weights, after = traced(fast, images, padded=True, training=training)
    assert (before, after) == ([channels], [wide])
    assert fast_loss == pytest.approx(loss, rel=1e-6)
    for one, other in zip(gradients + weights, fast_gradients + fast_weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
    assert training == (not np.array_equal(weights[-4], np.zeros(channels)))


def test_other_layouts_are_left_alone() -> None:
    layer = tf.keras.layers.BatchNormalization()
    videos = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6)).astype(np.float32))
    expected = layer(videos, training=True).numpy()
    with padded_batch_norm.in_tracing():
        np.testing.assert_array_equal(layer(videos, training=True).numpy(), expected)


def test_it_ends_with_the_block_even_after_an_error() -> None:
    import tensorflow.compat.v2 as tf2

    theirs = tf2.compat.v1.nn.fused_batch_norm
    with contextlib.suppress(ValueError), padded_batch_norm.in_tracing():
        assert tf2.compat.v1.nn.fused_batch_norm is not theirs
        raise ValueError
    assert tf2.compat.v1.nn.fused_batch_norm is theirs


@pytest.mark.filterwarnings("ignore")
def test_all_layers_of_the_mobile_extractor_come_in_sixteens() -> None:
    pytest.importorskip("object_detection")
    compat.activate()
    from object_detection.models.keras_models import mobilenet_v2

    model = mobilenet_v2.mobilenet_v2(batchnorm_training=True, weights=None, include_top=False)
    images = np.zeros((1, 64, 64, 3), np.float32)
    before, after = (traced(model, images, padded=padded)[3] for padded in (False, True))
    assert before.count(24) == 2
    assert len(after) == len(before)
    assert [channels for channels in after if channels % 16] == []


@pytest.mark.parametrize(("wanted", "channels"), [(precision.BFLOAT16, 32), (precision.FLOAT32, 24)])
def test_a_training_step_pads_in_bfloat16_alone(monkeypatch: pytest.MonkeyPatch, wanted: str, channels: int) -> None:
    """In float32 oneDNN is as fast with any number of channels."""
    pytest.importorskip("object_detection")
    compat.activate()
    from object_detection import model_lib_v2
    from object_detection.protos import train_pb2

    layer, seen = tf.keras.layers.BatchNormalization(), []
    layer.build((None, 3, 4, 24))

    def spy(model: object, features: tf.Tensor, *args: object, **params: object) -> dict[str, tf.Tensor]:
        loss = {"loss": tf.reduce_sum(layer(features, training=True))}
        graph = tf.compat.v1.get_default_graph()
        seen.extend(op.inputs[0].shape[-1] for op in graph.get_operations() if op.type == "FusedBatchNormV3")
        return loss

    monkeypatch.setattr(model_lib_v2, "eager_train_step", spy)
    parts = SimpleNamespace(
        model=object(), optimizer=None, global_step=tf.Variable(0, dtype=tf.int64), train_config=train_pb2.TrainConfig()
    )
    batches = tf.data.Dataset.from_tensors((tf.ones((2, 3, 4, 24)), 0)).repeat()
    try:
        precision.apply_precision(wanted)
        train_parts.train_step(parts)(iter(batches))
    finally:
        precision.apply_precision(precision.FLOAT32)
    assert seen == [channels]
