"""Convolutions in the frequency domain: the same answers and gradients as the direct ones."""

import numpy as np
import pytest

from kpt_tools.heatmap.networks import build
from kpt_tools.heatmap.wide_conv import convolve, is_wide, with_wide_kernels_in_frequency
from tests.heatmap_factories import spec


@pytest.mark.odapi
@pytest.mark.parametrize(
    ("side", "kernel"),
    [
        pytest.param((16, 16), (16, 16), id="16x16"),
        pytest.param((9, 14), (9, 8), id="oblong and odd"),
        pytest.param((5, 7), (16, 15), id="kernel larger than the map"),
        pytest.param((6, 6), (1, 1), id="one cell"),
    ],
)
def test_it_is_the_direct_convolution(side, kernel) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(0)
    maps = tf.constant(rng.normal(size=(3, *side, 4)), tf.float32)
    weights = tf.constant(rng.normal(size=(*kernel, 4, 5)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((maps, weights))
        found, expected = convolve(maps, weights), tf.nn.conv2d(maps, weights, 1, "SAME")
        losses = [tf.reduce_sum(tf.square(each)) for each in (found, expected)]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())
    for own, direct in zip(*(tape.gradient(loss, (maps, weights)) for loss in losses), strict=True):
        np.testing.assert_allclose(own, direct, atol=1e-5 * np.abs(direct).max())


@pytest.mark.odapi
def test_only_wide_kernels_are_exchanged_and_weights_fit_both() -> None:
    model = build(spec(model="fcn", target="circle", input_px=16, output_px=16))
    other = with_wide_kernels_in_frequency(model)
    assert [is_wide(layer) for layer in model.layers].count(True) == 1
    assert [type(layer).__name__ for layer in other.layers].count("WideConv2D") == 1
    other.set_weights(model.get_weights())
    pixels = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    expected = model(pixels)["heatmaps"]
    np.testing.assert_allclose(other(pixels)["heatmaps"], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.odapi
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"kernel_size": 3}, id="small"),
        pytest.param({"kernel_size": 16, "strides": 2}, id="strides"),
        pytest.param({"kernel_size": 16, "padding": "valid"}, id="padding"),
        pytest.param({"kernel_size": 16, "dilation_rate": 2}, id="dilation"),
        pytest.param({"kernel_size": 16, "groups": 2}, id="groups"),
    ],
)
def test_other_convolutions_stay(settings) -> None:
    import tf_keras

    assert not is_wide(tf_keras.layers.Conv2D(4, **{"padding": "same", **settings}))


@pytest.mark.odapi
def test_weights_trained_in_the_frequency_domain_are_read_into_the_plain_network(tmp_path) -> None:
    import tensorflow as tf

    model = build(spec(model="fcn", target="circle", input_px=16, output_px=16))
    other = with_wide_kernels_in_frequency(model)
    tf.train.Checkpoint(model=other).write(str(tmp_path / "weights"))
    tf.train.Checkpoint(model=model).read(str(tmp_path / "weights")).assert_existing_objects_matched()
    for own, read in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, read)
