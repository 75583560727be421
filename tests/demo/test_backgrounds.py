import numpy as np
import pytest

from kpt_tools.demo import backgrounds
from kpt_tools.demo.backgrounds import draw_background, random_colour, smooth_noise


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (96, 97), (300, 120)])
def test_a_background_has_the_size_and_range_asked_for(height: int, width: int) -> None:
    for seed in range(20):
        canvas = draw_background(random(seed), height, width)
        assert (canvas.shape, canvas.dtype) == ((height, width, 3), np.float32)
        assert 0.0 <= canvas.min() < canvas.max() <= 255.0


def test_every_surface_draws_a_square_of_relative_brightness() -> None:
    assert len(backgrounds._SURFACES) >= 6
    for texture, _ in backgrounds._SURFACES:
        level = texture(random(3), 150)
        assert level.shape == (150, 150)
        assert level.dtype == np.float32
        assert -1.0 <= level.min() < level.max() <= 1.0


def test_the_same_seed_gives_the_same_background() -> None:
    np.testing.assert_array_equal(draw_background(random(4), 100, 120), draw_background(random(4), 100, 120))
    assert np.any(draw_background(random(4), 100, 120) != draw_background(random(5), 100, 120))


def test_smooth_noise_is_smooth_and_fills_the_size() -> None:
    noise = smooth_noise(random(), 60, 80, 3, 4)
    assert noise.shape == (60, 80)
    assert np.abs(np.diff(noise, axis=1)).max() < 0.25


def test_random_colour_keeps_saturation_and_value() -> None:
    for seed in range(50):
        colour = random_colour(random(seed), (0.4, 0.6), (0.5, 0.7))
        value = max(colour) / 255.0
        assert 0.5 <= value <= 0.7
        assert 0.4 - 1e-9 <= 1.0 - min(colour) / max(colour) <= 0.6 + 1e-9
