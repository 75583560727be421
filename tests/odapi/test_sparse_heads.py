"""Heads that are computed where losses look, beside heads that are computed everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from centernet_factory import NAMES, SIDE, model_of

from kpt_tools.odapi import box_neighbours, compat, sparse_heads

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

BATCH = 2


@pytest.fixture(scope="module", autouse=True)
def activated() -> None:
    compat.activate()


def provide(model: Any, counts: Sequence[int]) -> None:
    """Objects of all classes, some at the border, some keypoints unlabelled."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    keypoints = sum(map(len, NAMES.values()))
    boxes, points, classes, weights = [], [], [], []
    for count in counts:
        corner = random.uniform(0, 0.6, (count, 2))
        boxes.append(np.concatenate([corner, corner + random.uniform(0.05, 0.4, (count, 2))], axis=1))
        place = np.clip(random.uniform(-0.1, 1.1, (count, keypoints, 2)), 0, 1)
        place[random.random((count, keypoints)) < 0.2] = np.nan
        points.append(place)
        classes.append(np.eye(len(NAMES))[(np.arange(count) + len(classes)) % len(NAMES)])
        weights.append((np.arange(count) < max(1, count - 1)).astype(float))
    model.provide_groundtruth(
        groundtruth_boxes_list=[tf.constant(value, tf.float32) for value in boxes],
        groundtruth_classes_list=[tf.constant(value, tf.float32) for value in classes],
        groundtruth_keypoints_list=[tf.constant(value, tf.float32) for value in points],
        groundtruth_weights_list=[tf.constant(value, tf.float32) for value in weights],
    )


def losses_and_gradients(model: Any, *, sparse: bool) -> tuple[dict[str, float], dict[str, Any]]:
    import tensorflow as tf

    images = tf.constant(np.random.default_rng(1).normal(size=(BATCH, SIDE, SIDE, 3)), tf.float32)

    @tf.function(autograph=False)
    def compute() -> Any:
        with sparse_heads.in_training(model) if sparse else contextlib.nullcontext(), tf.GradientTape() as tape:
            shapes = tf.constant([[SIDE, SIDE, 3]] * BATCH)
            losses = model.loss(model.predict(images, shapes), shapes)
            total = tf.add_n(list(losses.values()))
        return losses, tape.gradient(total, model.trainable_variables)

    losses, gradients = compute()
    names = [f"{number} {variable.name}" for number, variable in enumerate(model.trainable_variables)]
    return {name: float(loss) for name, loss in losses.items()}, dict(zip(names, gradients, strict=True))


@pytest.mark.parametrize(
    ("per_keypoint", "counts", "cells"),
    [
        pytest.param(True, (3, 2), 9, id="default"),
        pytest.param(False, (3, 2), 1, id="as-the-zoo"),
        pytest.param(True, (1, 1), 1, id="one-object"),
    ],
)
@pytest.mark.parametrize("more", ["", "use_depthwise: true"], ids=["plain", "separable"])
def test_losses_and_gradients_are_the_same(
    tmp_path: Path, per_keypoint: bool, counts: Sequence[int], cells: int, more: str
) -> None:
    model = model_of(tmp_path, per_keypoint, more=more)
    if cells > 1:
        box_neighbours.supervise(model)
    provide(model, counts)
    # Sparse first: it has to make the variables, too.
    losses, gradients = losses_and_gradients(model, sparse=True)
    dense, dense_gradients = losses_and_gradients(model, sparse=False)
    assert losses == pytest.approx(dense, rel=1e-5)
    assert all(loss > 0 for loss in dense.values())
    assert len(gradients) > 40
    for name, gradient in dense_gradients.items():
        largest = np.abs(gradient).max()
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-3, atol=1e-5 * largest, err_msg=name)


def test_what_is_computed_is_little(tmp_path: Path) -> None:
    """Predictions are zero where no loss looks, and predictions after the block are whole."""
    import tensorflow as tf

    model = model_of(tmp_path, per_keypoint=True)
    provide(model, (1, 1))
    images = tf.random.stateless_normal((BATCH, SIDE, SIDE, 3), (0, 0))
    with sparse_heads.in_training(model):
        sparse = model.predict(images, None)
    whole = model.predict(images, None)
    assert sparse.keys() == whole.keys()
    for name, (stage,) in ((name, maps) for name, maps in sparse.items() if "/" in name):
        (expected,) = whole[name]
        assert stage.shape == expected.shape
        there = np.any(stage.numpy() != 0, axis=-1)
        if "heatmap" in name:
            assert there.all()
        else:
            assert 0 < there.sum() <= 3 * 29 * BATCH
        np.testing.assert_allclose(stage.numpy()[there], expected.numpy()[there], atol=1e-5)


@pytest.mark.parametrize(
    ("counts", "heads", "expected"),
    [
        pytest.param((200, 200), "num_filters: 8 kernel_sizes: 3", {"box/scale", "box/offset"}, id="crowd"),
        pytest.param((1, 1), "num_filters: 8 num_filters: 4 kernel_sizes: 3 kernel_sizes: 3", set(), id="deep-heads"),
    ],
)
def test_heads_that_stay_as_they_are(tmp_path: Path, counts: Sequence[int], heads: str, expected: set[str]) -> None:
    import tensorflow as tf

    model = model_of(tmp_path, True, heads)
    provide(model, counts)
    images = tf.random.stateless_normal((BATCH, SIDE, SIDE, 3), (0, 0))
    with sparse_heads.in_training(model):
        found = model.predict(images, None)
    whole = model.predict(images, None)
    names = [name for name in found if "/" in name]
    assert {name for name in names if not np.allclose(found[name][0], whole[name][0], atol=1e-5)} == expected
    dense, _ = losses_and_gradients(model, sparse=False)
    assert losses_and_gradients(model, sparse=True)[0] == pytest.approx(dense, rel=1e-5)
