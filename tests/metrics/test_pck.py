from __future__ import annotations

import numpy as np
import pytest

from kpt_tools.entities import Detection, Instance
from kpt_tools.metrics.pck import CURVE_FRACTIONS, PCK_FRACTIONS, distances, summarise, swaps

BOX = (0.0, 0.0, 100.0, 50.0)  # larger side 100 px: an error of 5 px is 0.05


def matched(
    truth_xyv: list[tuple[float, float, int]], found_xy: list[tuple[float, float]]
) -> tuple[Instance, Detection]:
    truth = Instance(1, 1, 1, BOX, keypoints_xyv=tuple(truth_xyv))
    return truth, Detection(1, "thing", 0.9, BOX, tuple((x, y, 0.5) for x, y in found_xy))


def test_distances_in_pixels_and_of_the_larger_side() -> None:
    pixels, relative = distances([matched([(10, 10, 2), (20, 20, 1), (0, 0, 0)], [(13, 14), (20, 20), (7, 7)])], 3)
    np.testing.assert_allclose(pixels, [[5, 0, np.nan]])
    np.testing.assert_allclose(relative, [[0.05, 0, np.nan]])


def test_object_without_keypoints_is_all_missing() -> None:
    truth = Instance(1, 1, 1, BOX)
    pixels, _ = distances([(truth, Detection(1, "thing", 0.9, BOX, ((1, 1, 1), (2, 2, 1))))], 2)
    assert np.isnan(pixels).all()
    assert pixels.shape == (1, 2)


def test_summary_counts_the_border_as_right() -> None:
    errors_px = [0.0, 5.0, 5.01, 10.0, 20.0, 30.0]
    pairs = [matched([(0, 0, 2)], [(error, 0)]) for error in errors_px]
    summary = summarise(*distances(pairs, 1))
    assert summary.labelled == 6
    assert summary.pck == pytest.approx((2 / 6, 4 / 6, 5 / 6))
    assert summary.median_px == pytest.approx(7.505)
    assert summary.p90_px == pytest.approx(25)
    assert summary.p95_px == pytest.approx(27.5)
    assert summary.median_relative == pytest.approx(0.07505)
    assert summary.p90_relative == pytest.approx(0.25)
    assert summary.to_dict()["pck@0.05"] == pytest.approx(2 / 6)


def test_nothing_labelled_is_none_not_zero() -> None:
    summary = summarise(*distances([], 2))
    assert summary.to_dict() == {
        "labelled": 0,
        "pck@0.05": None,
        "pck@0.1": None,
        "pck@0.2": None,
        "median_px": None,
        "p90_px": None,
        "p95_px": None,
        "median_relative": None,
        "p90_relative": None,
        "pck_curve": [],
    }


def test_curve_goes_through_the_three_shares() -> None:
    errors_px = [0.0, 5.0, 5.01, 10.0, 20.0, 31.0]
    summary = summarise(*distances([matched([(0, 0, 2)], [(error, 0)]) for error in errors_px], 1))
    curve = dict(zip(CURVE_FRACTIONS, summary.curve, strict=True))
    assert [curve[fraction] for fraction in PCK_FRACTIONS] == list(summary.pck)
    assert (curve[0.0], curve[0.3]) == (pytest.approx(1 / 6), pytest.approx(5 / 6))
    assert list(summary.curve) == sorted(summary.curve)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        pytest.param([(0, 0, 2), (10, 0, 2)], [(1, 0), (9, 0)], (0, 1), id="right way round"),
        pytest.param([(0, 0, 2), (10, 0, 1)], [(9, 0), (1, 0)], (1, 1), id="exchanged"),
        pytest.param([(0, 0, 2), (10, 0, 0)], [(9, 0), (1, 0)], (0, 0), id="one not labelled"),
        pytest.param([(5, 0, 2), (5, 0, 2)], [(9, 0), (1, 0)], (0, 1), id="points coincide: no exchange"),
    ],
)
def test_swaps(
    truth: list[tuple[float, float, int]], found: list[tuple[float, float]], expected: tuple[int, int]
) -> None:
    assert swaps([matched(truth, found)], [(0, 1)]) == [expected]


def test_swaps_without_pairs() -> None:
    assert swaps([matched([(0, 0, 2)], [(0, 0)])], []) == []
