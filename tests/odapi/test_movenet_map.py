"""Where each array of MoveNet goes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kpt_tools.errors import DataError
from kpt_tools.odapi.movenet_map import backbone_layers, check_values, expected, norm_of, plan_weights
from kpt_tools.odapi.movenet_weights import read_weights

TOP = "StatefulPartitionedCall/"
CONSTANTS = (f"{TOP}Reshape", f"{TOP}truediv", f"{TOP}sub_1/y", f"{TOP}add_5/y", f"{TOP}ArgMax_1/dimension")
VALUES = {
    f"{TOP}Reshape": np.zeros((1, 1, 1, 3), np.float32),
    f"{TOP}truediv": np.full((1, 1, 1, 3), np.float16(1 / 127.5), np.float32),
    f"{TOP}sub_1/y": np.array([1.0], np.float32),
    f"{TOP}add_5/y": np.array(np.float16(1.8), np.float32),
}


def names() -> list[str]:
    return [*(name for name, _ in expected()), *CONSTANTS]


def test_every_part_has_its_arrays() -> None:
    plan = plan_weights(names(), "w.npz")
    assert Counter(target.part for target in plan.targets.values()) == {
        "backbone": 2 * 52,
        "feature pyramid": 4 * 2 + 3 * 3,
        "object centre": 5,
        "keypoint heat map": 5,
        "keypoint regression": 5,
        "keypoint offset": 5,
    }
    assert sorted(plan.constants) == sorted(CONSTANTS)
    assert len(set(plan.targets.values())) == len(plan.targets), "no two arrays for one place"


def test_layers_have_keras_names() -> None:
    layers = backbone_layers()
    assert len(layers) == 52
    assert [norm_of(layer) for layer in (layers[0], layers[1], layers[-1])] == [
        "bn_Conv1",
        "expanded_conv_depthwise_BN",
        "Conv_1_bn",
    ]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(lambda all_: all_[1:], "1 of 141 arrays are missing, first '.*Conv1/Conv2D_w", id="missing"),
        pytest.param(lambda all_: [], "141 of 141 arrays are missing", id="nothing"),
        pytest.param(lambda all_: [*all_, f"{TOP}box_scale_0/conv2d_8/Conv2D"], "1 arrays have no place", id="head"),
        pytest.param(lambda all_: [*all_, f"{TOP}Reshapes"], "1 arrays have no place", id="almost-a-constant"),
        pytest.param(lambda all_: [*all_, "x"], "no place in the model, first 'x'", id="foreign"),
    ],
)
def test_nothing_is_left_over_or_missing(change, match: str) -> None:
    with pytest.raises(DataError, match=match):
        plan_weights(change(names()), "w.npz")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param({f"{TOP}truediv": np.array([1 / 255], np.float32)}, "truediv' .*expected 0.00784", id="scale"),
        pytest.param({f"{TOP}Reshape": np.array([104.0], np.float32)}, r"is \[104.0\], expected 0 .mean", id="mean"),
        pytest.param({f"{TOP}add_5/y": np.array(1.0, np.float32)}, "expected 1.8 .offset of the distance", id="offset"),
        pytest.param({f"{TOP}sub_1/y": np.zeros(0, np.float32)}, "sub_1/y' is missing", id="missing"),
    ],
)
def test_another_scaling_is_refused(change, match: str) -> None:
    check_values(VALUES, "w.npz")
    with pytest.raises(DataError, match=match):
        check_values({**VALUES, **change}, "w.npz")


def test_the_real_weights(shared_weights: Path) -> None:
    arrays = read_weights(shared_weights / "movenet_lightning" / "movenet_lightning_v4_float16.npz")
    plan = plan_weights(arrays, "movenet")
    assert (len(plan.targets), len(plan.constants)) == (141, 39)
    check_values(arrays, "movenet")
