from __future__ import annotations

import numpy as np
import pytest

from kpt_tools.odapi import batch_norm, train_loop


@pytest.mark.parametrize(
    ("momentum", "steps", "expected"),
    [
        pytest.param(0.9997, 600, 1 - 20 / 600, id="mobilenet-600"),
        pytest.param(0.9997, 250_000, 0.9997, id="zoo-schedule-keeps-its-own"),
        pytest.param(0.99, 600, 1 - 20 / 600, id="fpn-600"),
        pytest.param(0.1, 600, 0.1, id="hourglass-keeps-its-own"),
        pytest.param(0.9997, 2, 0.5, id="two-steps"),
        pytest.param(0.9997, 0, 0.5, id="no-steps"),
    ],
)
def test_fitted_momentum(momentum: float, steps: int, expected: float) -> None:
    assert batch_norm.fitted_momentum(momentum, steps) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [100, 300, 600, 2000, 20_000, 100_000])
def test_nothing_of_the_initial_statistics_is_left(steps: int) -> None:
    assert batch_norm.fitted_momentum(0.9997, steps) ** steps < 1e-8


@pytest.mark.parametrize(
    ("batch_size", "step", "expected"),
    [
        pytest.param(8, 600, 25, id="cpu-template"),
        pytest.param(1, 600, 25, id="hourglass-on-a-cpu"),
        pytest.param(1, 2, 2, id="two-steps"),
        pytest.param(128, 600, 2, id="large-batch"),
        pytest.param(8, 0, 1, id="no-step"),
    ],
)
def test_statistics_are_bounded_in_batches(batch_size: int, step: int, expected: int) -> None:
    assert train_loop.statistics_batches(batch_size, step) == expected


@pytest.mark.odapi
def test_statistics_become_those_of_the_data() -> None:
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tf_keras")

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = tf.keras.layers.BatchNormalization(momentum=0.9997)

    model = Model()
    rng = np.random.default_rng(0)
    batches = [rng.normal(5.0, 2.0, (64, 3)).astype(np.float32) for _ in range(8)]
    model.norm(batches[0], training=True)
    assert batch_norm.fit_momentum(model, 600) == {
        "layers": 1,
        "changed": 1,
        "before": [0.9997, 0.9997],
        "after": [pytest.approx(1 - 20 / 600)] * 2,
    }

    def forward(batch) -> None:
        model.norm(batch, training=True)

    statistics = batch_norm.Statistics(model, forward)
    gamma = model.norm.gamma.numpy()
    assert statistics.reestimate(iter(batches), 8) == 8
    np.testing.assert_allclose(model.norm.moving_mean.numpy(), np.mean([b.mean(0) for b in batches], 0), rtol=1e-4)
    np.testing.assert_allclose(model.norm.moving_variance.numpy(), np.mean([b.var(0) for b in batches], 0), rtol=1e-3)
    assert statistics.reestimate(iter(batches[2:]), 6, stop=lambda: True) == 1
    np.testing.assert_allclose(model.norm.moving_mean.numpy(), batches[2].mean(0), rtol=1e-4)
    assert model.norm.momentum == pytest.approx(1 - 20 / 600)
    np.testing.assert_array_equal(model.norm.gamma.numpy(), gamma)
