"""Heads that are computed where decoding looks, beside heads that are computed everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from centernet_factory import model_of

from kpt_tools.odapi import box_neighbours, compat, decoding, sparse_detection

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

SIDE = 192
FEW = "num_candidates_per_keypoint: 6"
OFFSETS = {"mouse/keypoint/offset", "sheep/keypoint/offset"}
AT_CENTRES = {"box/scale", "box/offset", "mouse/keypoint/regression", "sheep/keypoint/regression"}


@pytest.fixture(scope="module", autouse=True)
def activated() -> None:
    compat.activate()


def built(folder: Path, more_of_tasks: str, more: str = "", *, per_keypoint: bool = True, nine: bool = True) -> Any:
    """A model with random weights that makes peaks of all heights, ready to detect."""
    import tensorflow as tf

    model = model_of(folder, per_keypoint, side=SIDE, more=more, more_of_tasks=more_of_tasks)
    model.predict(tf.zeros([1, SIDE, SIDE, 3]), None)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if "kernel" in variable.name:
            variable.assign(random.normal(0, 1.2 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape))
    for heads in model.prediction_head_dict.values():
        for head in heads:
            head.layers[-1].kernel.assign(random.normal(0, 1, head.layers[-1].kernel.shape))
    if nine:
        box_neighbours.mark(model)
    decoding.refine(model)
    return model


@pytest.mark.parametrize(
    ("options", "sparse"),
    [
        pytest.param({"more_of_tasks": FEW}, AT_CENTRES | OFFSETS, id="default"),
        pytest.param({"more_of_tasks": FEW, "more": "use_depthwise: true"}, AT_CENTRES | OFFSETS, id="separable"),
        pytest.param(
            {"more_of_tasks": FEW, "per_keypoint": False, "nine": False}, AT_CENTRES | OFFSETS, id="as-the-zoo"
        ),
        pytest.param({"more_of_tasks": ""}, AT_CENTRES, id="too-many-candidates"),
        pytest.param({"more_of_tasks": f"{FEW} argmax_postprocessing: true"}, {"box/scale", "box/offset"}, id="argmax"),
    ],
)
def test_detections_are_the_same(tmp_path: Path, options: dict[str, Any], sparse: set[str]) -> None:
    import tensorflow as tf

    model = built(tmp_path, **options)
    images = tf.constant(np.random.default_rng(1).normal(size=(1, SIDE, SIDE, 3)), tf.float32)
    maps, whole = sparse_detection.maps(model, images), model.predict(images, None)
    assert maps.keys() == model.prediction_head_dict.keys()
    there = {name: np.mean(np.any(stage.numpy() != 0, axis=-1)) for name, (stage,) in maps.items()}
    assert {name for name, share in there.items() if share < 0.25} == sparse
    assert all(share > 0.99 for name, share in there.items() if name not in sparse)

    shapes = tf.constant([[SIDE, SIDE, 3]])
    found, expected = sparse_detection.detect(model, images, shapes), model.postprocess(whole, shapes)
    assert (expected["detection_scores"].numpy() > 0.3).sum() > 3
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=2e-5, err_msg=name)
