"""The one pixel convention, at corners and in the middle."""

import numpy as np
import pytest

from kpt_tools.heatmap.geometry import (
    apply,
    compose,
    extent_of,
    invert,
    onto_square,
    region_of_box,
    scale_and_shift,
    square_around,
    warp,
)


@pytest.mark.parametrize(
    ("region", "size", "point", "expected"),
    [
        pytest.param((0, 0, 100, 100), 50, (0, 0), (0, 0), id="upper left corner"),
        pytest.param((0, 0, 100, 100), 50, (100, 100), (50, 50), id="lower right corner"),
        pytest.param((10, 20, 40, 40), 80, (10, 20), (0, 0), id="corner of a region"),
        pytest.param((10, 20, 40, 40), 80, (30, 40), (40, 40), id="middle of a region"),
    ],
)
def test_regions_map_corner_to_corner(region, size, point, expected) -> None:
    assert apply(onto_square(region, size), np.array(point, float)) == pytest.approx(expected)


def test_there_and_back() -> None:
    matrix = compose(scale_and_shift(2, 3, 5, -7), np.array([[0.8, -0.6, 1.0], [0.6, 0.8, 2.0]]))
    points = np.array([[0, 0], [640, 480], [np.nan, np.nan]])
    assert apply(invert(matrix), apply(matrix, points)) == pytest.approx(points, nan_ok=True)


def test_compose_applies_the_second_argument_first() -> None:
    double, move = scale_and_shift(2, 2, 0, 0), scale_and_shift(1, 1, 10, 0)
    assert apply(compose(double, move), np.array([1.0, 1.0])).tolist() == [22, 2]


def test_a_whole_picture_lies_in_the_middle_of_its_square() -> None:
    assert square_around((80, 40)) == (0, -20, 80, 80)
    assert region_of_box((10, 10, 20, 10), 0.5) == (0, -5, 40, 40)


def test_extent_leaves_unknown_points_out() -> None:
    assert extent_of(np.array([[1, 2], [np.nan, np.nan], [4, 9.0]])) == (1, 2, 3, 7)
    assert extent_of(np.full((2, 2), np.nan)) is None


@pytest.mark.parametrize("size", [32, 64, 128, 200, 511], ids=str)
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)], ids=["ul", "ll", "ur", "lr"])
def test_warp_puts_pixels_where_points_go(size: int, corner: tuple[int, int]) -> None:
    """A bright square in a corner of the picture; its middle of mass is where the map puts its middle."""
    image = np.zeros((128, 128, 3), np.uint8)
    left, row = 8 + 88 * corner[0], 8 + 88 * corner[1]
    image[row : row + 24, left : left + 24] = 200
    matrix = onto_square((0, 0, 128, 128), size)
    drawn = warp(image, matrix, (size, size))[..., 0].astype(float)
    ys, xs = np.indices(drawn.shape) + 0.5
    found = (xs * drawn).sum() / drawn.sum(), (ys * drawn).sum() / drawn.sum()
    assert found == pytest.approx(apply(matrix, np.array([left + 12.0, row + 12.0])), abs=0.15)


def test_warp_is_black_outside_and_keeps_one_channel() -> None:
    image = np.full((8, 8, 1), 255, np.uint8)
    result = warp(image, scale_and_shift(1, 1, 8, 0), (16, 8))
    assert result.shape == (8, 16, 1)
    assert result[:, :8].max() == 0
    assert result[:, 8:].min() == 255
