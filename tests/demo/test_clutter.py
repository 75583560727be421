import numpy as np
import pytest

from kpt_tools.demo import clutter
from kpt_tools.demo.clutter import any_thing, box, disc, grey, small_cover
from kpt_tools.demo.sprites import extent


def test_every_thing_stays_near_its_place() -> None:
    assert len(clutter._THINGS) >= 5
    for seed, thing in enumerate(clutter._THINGS * 10):
        x1, y1, x2, y2 = extent(thing(np.random.default_rng(seed), (500.0, 300.0), 100.0))
        assert 400.0 < x1 < x2 < 600.0
        assert 200.0 < y1 < y2 < 400.0


@pytest.mark.parametrize("draw", [any_thing, small_cover])
def test_colours_are_colours(draw: clutter.Callable) -> None:
    for seed in range(60):
        for layer in draw(np.random.default_rng(seed), (0.0, 0.0), 50.0):
            assert layer
            assert all(0.0 <= channel <= 255.0 for part in layer for channel in part.bgr)


def test_covers_are_small() -> None:
    for seed in range(60):
        x1, y1, x2, y2 = extent(small_cover(np.random.default_rng(seed), (0.0, 0.0), 100.0))
        assert max(x2 - x1, y2 - y1) <= 67.0


def test_disc_and_box_have_their_measures() -> None:
    np.testing.assert_allclose(np.hypot(*(disc((3.0, 4.0), 2.0) - (3.0, 4.0)).T), 2.0)
    np.testing.assert_allclose(box((1.0, 1.0), 4.0, 2.0, 0.0), [[-1, 0], [3, 0], [3, 2], [-1, 2]])


def test_grey_is_nearly_grey() -> None:
    for seed in range(20):
        colour = grey(np.random.default_rng(seed), 100.0, 200.0)
        assert max(colour) - min(colour) <= 16.0
