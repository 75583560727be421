"""Random changes: seeded, within their limits, and the same for picture and points."""

import numpy as np
import pytest

from kpt_tools.heatmap.augment import (
    NONE,
    AugmentPolicy,
    exchanged,
    exchanged_places,
    mirror,
    random_map,
    recoloured,
)
from kpt_tools.heatmap.geometry import apply, warp

ALL = AugmentPolicy(shift=0.1, zoom=0.2, flip=0.5, rotate_deg=20.0, colour=0.3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_same_seed_gives_the_same_map() -> None:
    assert random_map(rng(3), 64, ALL)[0] == pytest.approx(random_map(rng(3), 64, ALL)[0])
    assert not np.allclose(random_map(rng(3), 64, ALL)[0], random_map(rng(4), 64, ALL)[0])


def test_no_policy_changes_nothing() -> None:
    matrix, mirrored = random_map(rng(), 64, NONE)
    assert matrix == pytest.approx(np.array([[1.0, 0, 0], [0, 1, 0]]))
    assert not mirrored


def test_limits_are_kept_and_reached() -> None:
    policy = AugmentPolicy(shift=0.1, zoom=0.2)
    maps = [random_map(rng(seed), 100, policy)[0] for seed in range(300)]
    zooms = [matrix[0, 0] for matrix in maps]
    middles = np.array([apply(matrix, np.array([50.0, 50.0])) for matrix in maps]) - 50
    assert 1 / 1.2 <= min(zooms) < 0.86
    assert 1.17 < max(zooms) <= 1.2
    assert np.abs(middles).max() <= 10
    assert np.abs(middles).max(axis=0).min() > 9


def test_half_of_the_maps_mirror() -> None:
    policy = AugmentPolicy(flip=0.5)
    found = [random_map(rng(seed), 64, policy) for seed in range(400)]
    assert 160 < sum(mirrored for _, mirrored in found) < 240
    assert all((matrix[0, 0] < 0) == mirrored for matrix, mirrored in found)


def test_a_mirror_image_exchanges_left_and_right_at_the_corners() -> None:
    assert apply(mirror(64), np.array([[0.0, 5.0], [64.0, 5.0], [32.0, 9.0]])).tolist() == [[64, 5], [0, 5], [32, 9]]
    points = np.array([[1.0, 1], [2, 2], [3, 3]])
    assert exchanged(points, [(0, 1)]).tolist() == [[2, 2], [1, 1], [3, 3]]
    assert exchanged_places(4, [(0, 3)]) == [3, 1, 2, 0]


@pytest.mark.parametrize("seed", range(6))
def test_picture_and_points_move_together(seed: int) -> None:
    image = np.zeros((96, 96, 3), np.uint8)
    image[40:50, 60:70] = 255
    matrix, _ = random_map(rng(seed), 96, ALL)
    drawn = warp(image, matrix, (96, 96))[..., 0].astype(float)
    ys, xs = np.indices(drawn.shape) + 0.5
    found = (xs * drawn).sum() / drawn.sum(), (ys * drawn).sum() / drawn.sum()
    assert found == pytest.approx(apply(matrix, np.array([65.0, 45.0])), abs=0.2)


def test_colours_change_within_limits_and_only_if_asked() -> None:
    image = rng().integers(0, 255, (16, 16, 3), dtype=np.uint8)
    assert recoloured(rng(), image, 0.0) is image
    changed = recoloured(rng(1), image, 0.3)
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image)
    assert abs(float(changed.mean()) / float(image.mean()) - 1) < 0.5
