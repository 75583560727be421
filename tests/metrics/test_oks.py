from __future__ import annotations

import math

import pytest

from kpt_tools.entities import Instance
from kpt_tools.metrics.oks import OKS_BINS, area_of, as_area_source, lacks_area, oks, spread

AREA = 10_000.0  # a square root of 100 px: an error of 5 px is 5 %


@pytest.mark.parametrize(
    ("sigma", "error_px", "expected"),
    [
        pytest.param(0.05, 5, 0.88, id="sigma .05, 5 %"),
        pytest.param(0.05, 10, 0.61, id="sigma .05, 10 %"),
        pytest.param(0.05, 20, 0.14, id="sigma .05, 20 %"),
        pytest.param(0.1, 5, 0.97, id="sigma .1, 5 %"),
        pytest.param(0.1, 10, 0.88, id="sigma .1, 10 %"),
        pytest.param(0.1, 20, 0.61, id="sigma .1, 20 %"),
        pytest.param(0.2, 5, 0.99, id="sigma .2, 5 %"),
        pytest.param(0.2, 10, 0.97, id="sigma .2, 10 %"),
        pytest.param(0.2, 20, 0.88, id="sigma .2, 20 %"),
        pytest.param(5.0, 100, 0.995, id="sigma 5 calls everything right"),
    ],
)
def test_published_table(sigma: float, error_px: float, expected: float) -> None:
    value = oks([[50 + error_px, 50]], [[50, 50, 2]], [sigma], AREA)
    assert value == pytest.approx(expected, abs=0.006)


def test_perfect_is_one() -> None:
    assert oks([[1, 2], [3, 4]], [[1, 2, 2], [3, 4, 1]], [0.05, 0.1], AREA) == 1.0


def test_mean_over_labelled_points_only_and_hidden_ones_count() -> None:
    truth = [[0, 0, 2], [10, 0, 1], [20, 0, 0]]
    predicted = [[0, 0], [20, 0], [999, 999]]
    expected = (1 + math.exp(-(10**2) / (2 * AREA * (2 * 0.05) ** 2))) / 2
    assert oks(predicted, truth, [0.05] * 3, AREA) == pytest.approx(expected)


def test_nothing_labelled_is_none() -> None:
    assert oks([[1, 1]], [[0, 0, 0]], [0.05], AREA) is None


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="1 predicted points, 2 true points, 2 sigmas"):
        oks([[1, 1]], [[0, 0, 2], [1, 1, 2]], [0.05, 0.05], AREA)


@pytest.mark.parametrize(
    ("source", "annotated", "expected"),
    [
        pytest.param("bbox", 50.0, 200.0, id="box"),
        pytest.param("bbox*0.53", 50.0, 106.0, id="scaled box"),
        pytest.param("segm", 50.0, 50.0, id="annotated area"),
        pytest.param("segm", 0.0, 200.0, id="no area: the box"),
    ],
)
def test_area_sources(source: str, annotated: float, expected: float) -> None:
    instance = Instance(1, 1, 1, (0, 0, 10, 20), annotated)
    assert area_of(instance, as_area_source(source)) == pytest.approx(expected)
    assert lacks_area(instance) is (annotated == 0)


def test_area_without_box_is_zero() -> None:
    assert area_of(Instance(1, 1, 1, None), "bbox") == 0.0


def test_unknown_area_source() -> None:
    with pytest.raises(ValueError, match="unknown area source 'mask'"):
        as_area_source("mask")


@pytest.mark.parametrize(
    ("value", "bar"),
    [(0.0, 0), (0.05, 0), (0.0501, 1), (0.5, 9), (0.951, 19), (1.0, 19)],
)
def test_upper_borders_belong_to_their_bar(value: float, bar: int) -> None:
    counts = spread([value], 0).counts
    assert len(counts) == OKS_BINS
    assert [index for index, count in enumerate(counts) if count] == [bar]
