"""Keypoints between the cells: offsets averaged over neighbours, and the top of the heatmap's peak."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.odapi.keypoint_refinement import peak_offsets, refine_keypoints
from kpt_tools.odapi.offset_average import averaged

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

OFFSET, HEATMAP = "mouse/keypoint/offset", "mouse/keypoint/heatmap"


def plain_mean(offsets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same with loops: the mean position that the cells of the window point at, minus the cell."""
    result = np.zeros_like(offsets)
    _, height, width, channels = offsets.shape
    for picture, y, x, channel in np.ndindex(offsets.shape):
        places = [
            (row, column)
            for row in range(max(0, y - 1), min(height, y + 2))
            for column in range(max(0, x - 1), min(width, x + 2))
        ]
        pointed = [offsets[picture, row, column, channel] + (row, column)[channel % 2] for row, column in places]
        result[picture, y, x, channel] = np.mean(pointed) - (y, x)[channel % 2]
    assert channels % 2 == 0
    return result


@pytest.mark.parametrize("shape", [(2, 5, 7, 4), (1, 3, 2, 2), (1, 1, 4, 2)], ids=["two pictures", "small", "one row"])
def test_it_is_the_mean_of_positions(shape: tuple[int, ...]) -> None:
    offsets = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(averaged(offsets).numpy(), plain_mean(offsets), atol=1e-6)


def test_cells_that_agree_stay_as_they_are() -> None:
    """All cells point at (2.25, 3.5), exactly."""
    rows, columns = np.mgrid[:6, :8].astype(np.float32)
    offsets = np.stack([2.25 - rows, 3.5 - columns], axis=-1)[np.newaxis]
    np.testing.assert_allclose(averaged(offsets).numpy(), offsets, atol=1e-6)


def bump(top: tuple[float, float], shape: tuple[int, int], std: float = 1.3) -> np.ndarray[Any, Any]:
    """Logits [1, h, w, 1] of a Gaussian about a place y, x in cells."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    distance = (rows - top[0]) ** 2 + (columns - top[1]) ** 2
    return (4.0 - distance / (2 * std**2))[np.newaxis, ..., np.newaxis].astype(np.float32)


@pytest.mark.parametrize("top", [(2.5, 3.5), (2.1, 3.9), (3.75, 1.3)])
def test_the_top_of_a_gaussian_is_found_between_the_cells(top: tuple[float, float]) -> None:
    logits = bump(top, (6, 7))
    y, x = map(int, top)
    found = peak_offsets(logits).numpy()[0, y, x]
    np.testing.assert_allclose(found, (top[0] - y, top[1] - x), atol=1e-5)


def test_each_keypoint_has_its_own_top() -> None:
    logits = np.concatenate([bump((2.2, 2.8), (5, 6)), bump((2.9, 2.1), (5, 6))], axis=-1)
    found = peak_offsets(np.repeat(logits, 2, axis=0)).numpy()
    np.testing.assert_allclose(found[:, 2, 2], [[0.2, 0.8, 0.9, 0.1]] * 2, atol=1e-5)


def test_where_neighbours_say_nothing_it_is_the_middle_of_the_cell() -> None:
    flat = np.zeros((1, 4, 5, 2), np.float32)
    np.testing.assert_array_equal(peak_offsets(flat).numpy(), np.full((1, 4, 5, 4), 0.5))
    corner = peak_offsets(bump((0.3, 0.1), (4, 5))).numpy()[0, 0, 0]
    np.testing.assert_allclose(corner, (0.5, 0.5), atol=1e-6)


def test_no_offset_leaves_its_cell() -> None:
    found = peak_offsets(np.random.default_rng(2).normal(size=(2, 8, 9, 3)).astype(np.float32) * 50).numpy()
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def model(**params: Any) -> Any:
    """Something with a postprocess that gives back what it is given."""
    tasks = {"mouse": SimpleNamespace(**params)} if params else None
    return SimpleNamespace(_kp_params_dict=tasks, postprocess=lambda heads, shapes, **more: (heads, shapes, more))


def test_postprocess_gets_the_mean_of_both_and_all_else_unchanged() -> None:
    detector = model(per_keypoint_offset=True, offset_peak_radius=3)
    refine_keypoints(detector)
    random = np.random.default_rng(1)
    offsets, logits = (random.normal(size=(1, 4, 4, channels)).astype(np.float32) for channels in (2, 1))
    given = {OFFSET: [offsets], HEATMAP: [logits], "object_center": [offsets]}
    heads, shapes, more = detector.postprocess(given, "shapes", more=1)
    expected = (plain_mean(offsets) + peak_offsets(logits).numpy()) / 2
    np.testing.assert_allclose(heads[OFFSET][0], expected, atol=1e-6)
    assert heads["object_center"][0] is offsets
    assert heads[HEATMAP][0] is logits
    assert (shapes, more) == ("shapes", {"more": 1})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"per_keypoint_offset": False, "offset_peak_radius": 3},
        {"per_keypoint_offset": True, "offset_peak_radius": 1},
    ],
    ids=["no keypoints", "one offset for all keypoints", "neighbours not trained"],
)
def test_models_whose_neighbours_learned_nothing_are_left_alone(params: dict[str, Any]) -> None:
    detector = model(**params)
    before = detector.postprocess
    refine_keypoints(detector)
    assert detector.postprocess is before
