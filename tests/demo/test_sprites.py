import numpy as np
import pytest

from kpt_tools.demo.sprites import Light, Part, alpha_at, covered_share, draw_sprite, extent, lay

SOLID = 190  # of 240: OpenCV spreads anti-aliased edges over up to half a supersampled pixel
DARKNESS = Light(angle_rad=0.0, bevel=0.0, shadow=0.0, shadow_px=1.0)


def square(x: float, y: float, side: float, bgr: tuple[float, float, float] = (10.0, 120.0, 240.0)) -> Part:
    return Part(np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]]), bgr)


def canvas() -> np.ndarray:
    return np.zeros((20, 30, 3), np.float32)


def test_extent_spans_all_layers() -> None:
    assert extent([[square(3, 4, 2)], [square(-1, 6, 5.5)]]) == (-1.0, 4.0, 5.0, 11.5)


def test_a_square_on_whole_pixels_fills_exactly_those() -> None:
    picture = canvas()
    lay(picture, draw_sprite([[square(5, 6, 4)]], DARKNESS), DARKNESS)
    filled = np.argwhere(picture[:, :, 2] > SOLID)
    assert (filled.min(axis=0).tolist(), filled.max(axis=0).tolist()) == ([6, 5], [9, 8])
    np.testing.assert_allclose(picture[7, 6], (10, 120, 240), atol=1)


def test_the_centre_of_what_is_drawn_is_the_centre_of_the_outline() -> None:
    sprite = draw_sprite([[square(4.3, 7.6, 6.0)]], DARKNESS)
    rows, columns = np.indices(sprite.alpha.shape)
    x = (sprite.alpha * (columns + 0.5)).sum() / sprite.alpha.sum() + sprite.left
    y = (sprite.alpha * (rows + 0.5)).sum() / sprite.alpha.sum() + sprite.top
    assert (x, y) == pytest.approx((7.3, 10.6), abs=0.15)


@pytest.mark.parametrize("place", [(-2.0, -2.0), (28.0, 18.0), (-50.0, 5.0), (5.0, 60.0)])
def test_things_over_or_beyond_the_border_are_cut(place: tuple[float, float]) -> None:
    picture = canvas()
    lay(picture, draw_sprite([[square(*place, 4)]], DARKNESS), DARKNESS)
    inside_x = max(0.0, min(30.0, place[0] + 4) - max(0.0, place[0]))
    inside_y = max(0.0, min(20.0, place[1] + 4) - max(0.0, place[1]))
    assert np.count_nonzero(picture[:, :, 2] > SOLID) == inside_x * inside_y


def test_the_shadow_falls_away_from_the_lamp_and_only_darkens() -> None:
    light = Light(angle_rad=0.0, bevel=0.0, shadow=0.5, shadow_px=4.0)
    picture = canvas() + 100.0
    lay(picture, draw_sprite([[square(12, 8, 4, (100, 100, 100))]], light), light)
    assert picture.max() <= 100.5
    assert picture[10, 10].mean() < 90.0
    assert picture[10, 18].mean() > 95.0


def test_edges_towards_the_lamp_are_lighter() -> None:
    light = Light(angle_rad=0.0, bevel=0.6, shadow=0.0, shadow_px=1.0)
    sprite = draw_sprite([[square(0, 0, 20, (100, 100, 100))]], light)
    row = sprite.bgr[10 - sprite.top, :, 0]
    assert row[19 - sprite.left] > 110 > 100 > 90 > row[0 - sprite.left]


def test_alpha_at_reads_the_pixel_that_holds_the_point() -> None:
    sprite = draw_sprite([[square(5, 6, 4)]], DARKNESS)
    assert alpha_at(sprite, 5.1, 6.1) > 0.5
    assert alpha_at(sprite, 8.9, 9.9) > 0.5
    assert alpha_at(sprite, 4.9, 7.0) < 0.5
    assert alpha_at(sprite, 1000.0, -1000.0) == 0.0


@pytest.mark.parametrize(
    ("above", "share"),
    [(square(0, 0, 10), 1.0), (square(5, 0, 10), 0.5), (square(5, 5, 10), 0.25), (square(40, 40, 3), 0.0)],
    ids=["whole", "half", "quarter", "apart"],
)
def test_covered_share(above: Part, share: float) -> None:
    below = draw_sprite([[square(0, 0, 10)]], DARKNESS)
    assert covered_share(below, draw_sprite([[above]], DARKNESS)) == pytest.approx(share, abs=0.08)


def test_upper_layers_hide_lower_ones() -> None:
    sprite = draw_sprite([[square(0, 0, 10, (0, 0, 0))], [square(2, 2, 6, (200, 200, 200))]], DARKNESS)
    assert sprite.bgr[5 - sprite.top, 5 - sprite.left].tolist() == [200, 200, 200]
