"""Losses: zero or least at the truth, blind to points without weight."""

import numpy as np
import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.decode import average
from kpt_tools.heatmap.examples import target_of
from kpt_tools.heatmap.losses import averages, loss_of, softmax_maps
from tests.heatmap_factories import spec

POINTS = np.array([[20.0, 24.0], [40.0, 22.0], [30.0, 44.0]])
CASES = [
    ("gaussian", "mse"),
    ("gaussian", "awing"),
    ("circle", "own"),
    ("softargmax", "own"),
    ("simcc", "own"),
    ("points", "own"),
]


def answer_for(points: np.ndarray, target: str) -> tuple[dict, np.ndarray]:
    """Outputs of a network that knows the points, and the target for them."""
    own = spec(
        target=target, output_px={"simcc": 128, "points": 0}.get(target, 16), sigma=4.0 if target == "simcc" else 1.5
    )
    made = target_of(points, own)[np.newaxis]
    if target == "points":
        return {"points": (points / 64)[np.newaxis].astype(np.float32)}, made
    if target in ("softargmax", "simcc"):
        return {"simcc" if target == "simcc" else "heatmaps": np.log(made + 1e-12)}, made
    return {"heatmaps": made}, made


def loss(target: str, name: str, found: np.ndarray, weights: tuple[float, ...] = (1, 1, 1)) -> float:
    tf = pytest.importorskip("tensorflow")
    outputs, _ = answer_for(found, target)
    _, made = answer_for(POINTS, target)
    tensors = {key: tf.constant(value, tf.float32) for key, value in outputs.items()}
    points = tf.constant((POINTS / 64)[np.newaxis], tf.float32)
    return float(
        loss_of(spec(target=target), name)(tensors, tf.constant(made), points, tf.constant([weights], tf.float32))
    )


@pytest.mark.odapi
@pytest.mark.parametrize(("target", "name"), CASES, ids=lambda value: value)
def test_the_loss_grows_with_the_distance(target: str, name: str) -> None:
    losses = [loss(target, name, POINTS + off) for off in (0.0, 2.0, 6.0)]
    assert losses[0] < losses[1] < losses[2]
    if target != "simcc":  # whose least is the entropy of the label
        assert losses[0] == pytest.approx(0, abs=1e-3)


@pytest.mark.odapi
@pytest.mark.parametrize(("target", "name"), CASES, ids=lambda value: value)
def test_points_without_weight_do_not_count(target: str, name: str) -> None:
    moved = POINTS + np.array([[0.0, 0], [0, 0], [9, -9]])
    assert loss(target, name, moved, (1, 1, 0)) == pytest.approx(loss(target, name, POINTS, (1, 1, 0)), abs=1e-5)
    assert loss(target, name, moved) > loss(target, name, POINTS) + 1e-6
    assert loss(target, name, moved, (0, 0, 0)) == 0


@pytest.mark.odapi
def test_averages_are_those_of_the_decoder() -> None:
    tf = pytest.importorskip("tensorflow")
    logits = np.random.default_rng(0).normal(0, 2, (1, 12, 16, 2)).astype(np.float32)
    chances = softmax_maps(tf.constant(logits))
    assert chances.numpy().sum(axis=(1, 2)) == pytest.approx(np.ones((1, 2)), abs=1e-5)
    found = averages(chances).numpy()[0] * (16, 12)
    for index in range(2):
        assert found[index] == pytest.approx(average(chances.numpy()[0, ..., index].astype(np.float64)), abs=1e-3)


@pytest.mark.parametrize("target", ["softargmax", "simcc", "points"])
def test_a_loss_for_heatmaps_is_refused_for_other_targets(target: str) -> None:
    with pytest.raises(
        ConfigError, match=f"--loss mse: is for the targets gaussian and circle; '{target}' has its own"
    ):
        loss_of(spec(target=target), "mse")
