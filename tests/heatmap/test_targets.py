"""Heatmaps and distributions for known points."""

import cv2
import numpy as np
import pytest

from kpt_tools.heatmap.targets import circle_heatmaps, gaussian_heatmaps, normalised, simcc_targets

NAN = np.array([[np.nan, np.nan]])


@pytest.mark.parametrize(
    "point", [(0.5, 0.5), (15.5, 0.5), (0.5, 11.5), (15.5, 11.5), (7.5, 3.5)], ids=["ul", "ur", "ll", "lr", "middle"]
)
def test_a_gaussian_is_1_on_the_cell_whose_middle_is_the_point(point: tuple[float, float]) -> None:
    (found,) = gaussian_heatmaps(np.array([point]), (12, 16), 2.0).transpose(2, 0, 1)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert (column + 0.5, row + 0.5) == point
    assert found.max() == pytest.approx(1.0)
    assert found.dtype == np.float32


def test_a_gaussian_falls_as_its_formula_says() -> None:
    found = gaussian_heatmaps(np.array([[4.0, 6.0]]), (12, 12), 2.0)
    squares = (4.5 - 4.0) ** 2 + (9.5 - 6.0) ** 2
    assert found[9, 4, 0] == pytest.approx(np.exp(-squares / 8))


@pytest.mark.parametrize("point", [(0.2, 0.9), (15.9, 15.9), (8.0, 3.7)], ids=["corner", "far corner", "inside"])
def test_a_circle_is_what_opencv_draws_on_the_point_s_pixel(point: tuple[float, float]) -> None:
    drawn = np.zeros((16, 16), np.float32)
    cv2.circle(drawn, (int(point[0]), int(point[1])), 2, 255, 2)
    found = circle_heatmaps(np.array([point]), (16, 16))[..., 0]
    assert found == pytest.approx(cv2.GaussianBlur(drawn, (5, 5), 0) / 255)
    assert 0.5 < found.max() <= 1


def test_unknown_points_have_maps_of_zeros() -> None:
    assert gaussian_heatmaps(NAN, (8, 8), 1.0).max() == 0
    assert circle_heatmaps(NAN, (8, 8)).max() == 0
    assert simcc_targets(NAN, 8, 16, 2.0).max() == 0
    assert normalised(np.zeros((8, 8, 1), np.float32)).max() == 0


def test_normalised_maps_add_up_to_1() -> None:
    maps = gaussian_heatmaps(np.array([[3.0, 3.0], [0.0, 8.0]]), (8, 8), 1.0)
    assert normalised(maps).sum(axis=(0, 1)) == pytest.approx([1, 1])


def test_simcc_has_x_first_and_its_average_is_the_point() -> None:
    found = simcc_targets(np.array([[20.3, 41.6]]), 64, 128, 4.0)
    assert found.shape == (1, 2, 128)
    assert found.sum(axis=-1) == pytest.approx(np.ones((1, 2)))
    averages = (found * (np.arange(128) + 0.5)).sum(axis=-1) / 2
    assert averages[0] == pytest.approx([20.3, 41.6], abs=1e-3)
