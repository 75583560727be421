from __future__ import annotations

import pytest

from kpt_tools.odapi.weight_averages import WeightAverages, decay_at

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.odapi


@pytest.mark.parametrize(("step", "expected"), [(0, 0.1), (8, 0.5), (10_000, 0.99)])
def test_the_decay_ramps_up(step: int, expected: float) -> None:
    assert decay_at(step, 0.99) == pytest.approx(expected)


def test_averages_follow_the_formula_inside_a_graph() -> None:
    weight = tf.Variable([1.0, 2.0])
    averages = WeightAverages([weight], 0.99)

    @tf.function
    def step(count):
        weight.assign_add([1.0, 1.0])
        averages.update(count)

    expected = 1.0
    for count in range(1, 30):
        step(tf.constant(count, tf.int64))
        decay = decay_at(count, 0.99)
        expected = decay * expected + (1 - decay) * (1.0 + count)
    assert averages.shadows[0].numpy()[0] == pytest.approx(expected, rel=1e-5)
    assert weight.numpy()[0] == 30.0


def test_weights_and_averages_change_places_inside_the_block_only() -> None:
    weight = tf.Variable(1.0)
    averages = WeightAverages([weight], 0.5)
    weight.assign(3.0)
    with averages.in_place():
        assert (weight.numpy(), averages.shadows[0].numpy()) == (1.0, 3.0)
    assert (weight.numpy(), averages.shadows[0].numpy()) == (3.0, 1.0)
    with pytest.raises(RuntimeError, match="disk full"), averages.in_place():
        raise RuntimeError("disk full")
    assert weight.numpy() == 3.0
