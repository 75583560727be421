"""From heatmaps to points: corners, sub-pixel places, and maps without a peak."""

import numpy as np
import pytest

from kpt_tools.heatmap.decode import DECODERS, argmax, around_peak, average, decode_maps, maps_of_simcc, taylor
from kpt_tools.heatmap.targets import gaussian_heatmaps, simcc_targets

CORNERS = {"ul": (0.5, 0.5), "ur": (31.5, 0.5), "ll": (0.5, 23.5), "lr": (31.5, 23.5)}


def bell(x: float, y: float, sigma: float = 1.5) -> np.ndarray:
    return gaussian_heatmaps(np.array([[x, y]]), (24, 32), sigma)[..., 0].astype(np.float64)


@pytest.mark.parametrize("name", ["argmax", "around-peak", "taylor"])
@pytest.mark.parametrize("corner", CORNERS.values(), ids=CORNERS)
def test_a_peak_in_a_corner_cell_is_found_in_its_middle(name: str, corner: tuple[float, float]) -> None:
    assert DECODERS[name](bell(*corner)) == pytest.approx(corner)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("argmax", 0.5), ("average", 1e-4), ("around-peak", 0.15), ("taylor", 1e-3)]
)
@pytest.mark.parametrize("point", [(10.0, 9.0), (15.3, 12.8), (20.51, 7.25)], ids=str)
def test_points_between_cells(name: str, tolerance: float, point: tuple[float, float]) -> None:
    assert DECODERS[name](bell(*point)) == pytest.approx(point, abs=tolerance + 1e-9)


def test_sub_pixel_decodings_beat_argmax_on_average() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(6, 18, (40, 2))
    errors = {
        name: np.mean([np.hypot(*(np.array(decoder(bell(x, y))) - (x, y))) for x, y in points])
        for name, decoder in DECODERS.items()
    }
    assert errors["taylor"] < errors["around-peak"] < errors["argmax"]
    assert errors["argmax"] == pytest.approx(0.38, abs=0.05)  # mean distance to the middle of a unit square


def test_background_pulls_the_average_to_the_middle_and_nothing_else() -> None:
    map_ = bell(5.5, 5.5) + 0.05
    assert argmax(map_) == (5.5, 5.5)
    assert around_peak(map_) == pytest.approx((5.5, 5.5))
    assert taylor(map_) == pytest.approx((5.5, 5.5), abs=1e-6)
    x, y = average(map_)
    assert 9 < x < 16
    assert 7 < y < 12


@pytest.mark.parametrize(
    ("map_", "expected"),
    [
        pytest.param(np.zeros((24, 32)), {"average": (16, 12), "argmax": (0.5, 0.5)}, id="zeros"),
        pytest.param(-np.ones((24, 32)), {"average": (16, 12), "around-peak": (0.5, 0.5)}, id="negative"),
        pytest.param(np.ones((24, 32)), {"average": (16, 12), "taylor": (0.5, 0.5)}, id="flat"),
    ],
)
def test_maps_without_a_peak(map_, expected) -> None:
    for name, point in expected.items():
        assert DECODERS[name](map_) == pytest.approx(point)


def test_a_single_cell_is_no_bell_but_is_found() -> None:
    map_ = np.zeros((24, 32))
    map_[7, 9] = 1.0
    for decoder in DECODERS.values():
        assert decoder(map_) == pytest.approx((9.5, 7.5))


def test_nan_is_never_the_peak() -> None:
    map_ = bell(9.5, 7.5)
    map_[0, 0] = np.nan
    assert argmax(map_) == (9.5, 7.5)


@pytest.mark.parametrize("name", DECODERS)
def test_maps_are_decoded_in_pixels_of_the_input(name: str) -> None:
    points = np.array([[40.0, 52.0], [82.0, 30.0]])
    maps = gaussian_heatmaps(points / 4, (32, 32), 1.5)
    found, peaks = decode_maps(maps, 128, name)
    assert found == pytest.approx(points, abs=2.1)
    assert peaks == pytest.approx(maps.max(axis=(0, 1)))


@pytest.mark.parametrize("point", [(20.3, 41.6), (3.1, 60.9)], ids=str)
def test_distributions_per_axis_are_a_heatmap(point: tuple[float, float]) -> None:
    maps = maps_of_simcc(simcc_targets(np.array([point]), 64, 128, 4.0))
    assert maps.shape == (128, 128, 1)
    assert decode_maps(maps, 64, "taylor")[0][0] == pytest.approx(point, abs=0.05)
