"""Folded batch normalisations: found, and made fit for training without a change of what the network computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kpt_tools.odapi.batch_norm_unfold import folded_layers, unfold

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")


def network() -> Any:
    """Two convolutions with a batch normalisation each, and one without convolution that was never trained."""
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    picture = tf.keras.Input([8, 8, 3])
    first = layers.BatchNormalization(name="first")(layers.Conv2D(4, 3, name="one")(picture))
    second = layers.BatchNormalization(name="second")(layers.Conv2D(5, 3, name="two")(layers.ReLU()(first)))
    return tf.keras.Model(picture, layers.BatchNormalization(name="fresh")(second))


def fold(net: Any) -> None:
    """Move scale and mean into the convolutions, as converters do; scales of any size."""
    rng = np.random.default_rng(1)
    for convolution, norm in (("one", "first"), ("two", "second")):
        conv, layer = net.get_layer(convolution), net.get_layer(norm)
        conv.kernel.assign(conv.kernel * rng.uniform(0.1, 30, conv.kernel.shape[-1:]).astype(np.float32))
        layer.gamma.assign(tf.fill(layer.gamma.shape, np.float32(np.sqrt(1 + layer.epsilon))))
        layer.beta.assign(rng.normal(0, 5, layer.beta.shape))


class Model(tf.Module):  # type: ignore[misc]
    """A module as the OD API's model is one: a network in an attribute."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net


def pictures(seed: int) -> Any:
    return tf.random.stateless_normal([16, 8, 8, 3], [seed, 0], mean=2.0)


def test_only_folded_layers_are_found() -> None:
    net = network()
    assert folded_layers(Model(net)) == []
    fold(net)
    assert {layer.name for layer in folded_layers(Model(net))} == {"first", "second"}
    net.get_layer("first").moving_variance.assign([1.0, 1.0, 1.0, 1.1])
    assert [layer.name for layer in folded_layers(Model(net))] == ["second"]


def test_the_network_computes_the_same_and_trains_from_there() -> None:
    net = network()
    fold(net)
    before = net(pictures(9), training=False).numpy()
    weights = net.get_weights()
    assert np.abs(net(pictures(9), training=True).numpy() - before).max() > 1, "folded, training means something else"
    net.set_weights(weights)

    count = unfold(Model(net), lambda batch: net(batch, training=False), map(pictures, range(4)), 4)

    assert count == 2
    assert folded_layers(Model(net)) == []
    np.testing.assert_allclose(net(pictures(9), training=False), before, rtol=1e-4, atol=1e-3)
    assert "call" not in vars(net.get_layer("first")), "nobody listens any more"

    # Statistics of the very pictures: training mode computes the same, but for the layer that was never trained.
    inner = tf.keras.Model(net.input, net.get_layer("second").output)
    everything = tf.concat([pictures(seed) for seed in range(4)], 0)
    expected = inner(everything, training=False).numpy()
    found = inner(everything, training=True).numpy()
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_nothing_to_do_reads_no_pictures() -> None:
    def refuse(batch: object) -> None:
        raise AssertionError("no picture should be looked at")

    assert unfold(Model(network()), refuse, iter(()), 4) == 0
