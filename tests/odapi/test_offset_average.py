"""Offsets averaged over the neighbours of a cell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.odapi.offset_average import average_offsets, averaged

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

HEAD = "mouse/keypoint/offset"


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


def model(**params: Any) -> Any:
    """Something with a postprocess that gives back what it is given."""
    tasks = {"mouse": SimpleNamespace(**params)} if params else None
    return SimpleNamespace(_kp_params_dict=tasks, postprocess=lambda heads, shapes, **more: (heads, shapes, more))


def test_postprocess_gets_averages_of_offsets_and_all_else_unchanged() -> None:
    detector = model(per_keypoint_offset=True, offset_peak_radius=3)
    average_offsets(detector)
    offsets = np.random.default_rng(1).normal(size=(1, 4, 4, 2)).astype(np.float32)
    heads, shapes, more = detector.postprocess({HEAD: [offsets], "object_center": [offsets]}, "shapes", more=1)
    np.testing.assert_allclose(heads[HEAD][0], plain_mean(offsets), atol=1e-6)
    assert heads["object_center"][0] is offsets
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
    average_offsets(detector)
    assert detector.postprocess is before
