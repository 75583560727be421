"""Neighbouring cells of one height are one object."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.odapi.peak_ties import settle_ties, settled

pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

SLOPE = [[-4.0, -3.5, -3.0, -3.2, -3.9, -4.0]]


def found(heatmap: Any, least: float = 0.2) -> list[tuple[int, int]]:
    """Cells that the OD API takes for objects."""
    import tensorflow as tf
    from object_detection.meta_architectures.center_net_meta_arch import top_k_feature_map_locations

    scores, rows, columns, _ = top_k_feature_map_locations(tf.sigmoid(heatmap), max_pool_kernel_size=3, k=5)
    places = zip(scores[0].numpy(), rows[0].numpy(), columns[0].numpy(), strict=True)
    return [(int(row), int(column)) for score, row, column in places if score > least]


def hill(*middle: float) -> np.ndarray[Any, Any]:
    """Logits [1, 3, 6, 1] with the given middle row, less and less to the right above and below."""
    return np.array([SLOPE[0], middle, SLOPE[0]], np.float32)[np.newaxis, ..., np.newaxis]


@pytest.mark.parametrize(
    ("middle", "winner"),
    [
        ((-4.0, -1.0, 1.0, 1.0, -1.5, -4.0), (1, 2)),
        ((-4.0, -1.5, 1.0, 1.0, -0.5, -4.0), (1, 3)),
        ((-4.0, -1.0, 1.0, 1.0, 1.0, -1.0), (1, 3)),
    ],
    ids=["left side higher", "right side higher", "three in a row"],
)
def test_equal_neighbours_are_one_object(middle: tuple[float, ...], winner: tuple[int, int]) -> None:
    heatmap = hill(*middle)
    assert len(found(heatmap)) > 1, "the OD API finds it more than once"
    after = settled(heatmap).numpy()
    assert found(after) == [winner]
    assert np.abs(after - heatmap).max() <= 0.02


def test_a_map_without_ties_stays_as_it_is() -> None:
    heatmap = np.random.default_rng(0).normal(size=(2, 9, 11, 3)).astype(np.float32)
    heatmap[0, 0, 0], heatmap[0, -1, -1], heatmap[1, 0, 5] = 5.0, 5.0, 5.0  # peaks in corners and at the border
    np.testing.assert_array_equal(settled(heatmap).numpy(), heatmap)


def test_objects_of_one_height_that_are_apart_stay_two() -> None:
    heatmap = hill(-4.0, 1.0, -1.0, 1.0, -1.5, -4.0)
    np.testing.assert_array_equal(settled(heatmap).numpy(), heatmap)
    assert len(found(heatmap)) == 2


def test_equal_neighbours_with_equal_surroundings_are_one_object_too() -> None:
    heatmap = np.full((1, 6, 6, 1), -3.0, np.float32)
    heatmap[0, 2:4, 3:5] = 1.0
    assert len(found(heatmap)) == 4
    assert len(found(settled(heatmap))) == 1


def test_ties_of_bfloat16_are_settled() -> None:
    """A thousand broad peaks, rounded: many have equal neighbours, and each is one object afterwards."""
    import tensorflow as tf

    rows, columns = np.mgrid[:12, :12] + 0.5
    tops = np.random.default_rng(3).uniform(4, 8, (1000, 2))
    distance = (rows - tops[:, 0, None, None]) ** 2 + (columns - tops[:, 1, None, None]) ** 2
    exact = (2.0 - distance / 8)[..., np.newaxis].astype(np.float32)
    rounded = tf.cast(tf.cast(exact, tf.bfloat16), tf.float32)
    twice = sum(len(found(one[np.newaxis])) > 1 for one in rounded)
    assert twice > 10
    assert all(len(found(one[np.newaxis])) == 1 for one in settled(rounded))


def test_postprocess_gets_settled_centres_and_all_else_unchanged() -> None:
    detector = SimpleNamespace(postprocess=lambda heads, shapes, **more: (heads, shapes, more))
    settle_ties(detector)
    centres = hill(-4.0, -1.0, 1.0, 1.0, -1.5, -4.0)
    heads, shapes, more = detector.postprocess({"object_center": [centres], "box/scale": [centres]}, "shapes", more=1)
    assert found(heads["object_center"][0]) == [(1, 2)]
    assert heads["box/scale"][0] is centres
    assert (shapes, more) == ("shapes", {"more": 1})
