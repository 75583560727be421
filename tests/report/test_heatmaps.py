"""Heatmaps and points on pictures: the right colour in the right place."""

import numpy as np
import pytest

from kpt_tools.report.draw import point_colour
from kpt_tools.report.heatmap_curves import save_curves
from kpt_tools.report.heatmaps import enlarged, marked, overlaid

GREY = np.full((40, 60, 3), 100, np.uint8)


def test_the_larger_side_is_as_asked_and_small_pixels_stay_squares() -> None:
    small = np.zeros((2, 4, 3), np.uint8)
    small[0, 0] = 255
    picture = enlarged(small, 64)
    assert picture.size == (64, 32)
    assert np.asarray(picture)[:16, :16].min() == 255
    assert np.asarray(picture)[16:, 16:].max() == 0
    assert enlarged(GREY, 30).size == (30, 20)


@pytest.mark.parametrize("index", [0, 1])
def test_a_map_shines_in_its_keypoint_s_colour_where_it_is_high(index: int) -> None:
    maps = np.zeros((10, 15, 2))
    maps[5, 7, index] = 0.01  # each map is shown relative to its own peak
    drawn = overlaid(GREY, maps)
    assert drawn.shape == GREY.shape
    ground = drawn[0, 0].astype(int)
    assert ground.tolist() == [35, 35, 35]
    brightest = (drawn.astype(int) - ground)[22, 30]
    assert brightest == pytest.approx(np.minimum(np.array(point_colour(index)), 220), abs=80)


def test_found_points_are_crosses_and_true_ones_rings() -> None:
    points = np.array([[30.0, 20.0], [np.nan, np.nan]])
    cross = np.asarray(marked(GREY, points, None, 240)).astype(int)
    ring = np.asarray(marked(GREY, None, points, 240)).astype(int)
    middle = np.array([80, 120])
    assert cross[tuple(middle)] == pytest.approx(np.array(point_colour(0)), abs=3)
    assert ring[tuple(middle)].tolist() == [100, 100, 100]
    assert ring[middle[0], middle[1] + 7].tolist() == list(point_colour(0))
    assert np.asarray(marked(GREY, None, None, 240)).std() == 0


def test_curves_are_a_picture_also_of_a_single_epoch(tmp_path) -> None:
    row = {"epoch": 1, "loss": None, "val_loss": 0.5, "val_error": 0.1, "learning_rate": 1e-3}
    path = save_curves([row], 1, tmp_path / "one.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    rows = [{**row, "epoch": n, "loss": 1 / n} for n in range(1, 9)]
    assert save_curves(rows, 8, tmp_path / "eight.png").stat().st_size > path.stat().st_size
