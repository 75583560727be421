import functools
from collections import Counter

import numpy as np
import pytest

from kpt_tools.demo.geometry import FLIP_PAIRS, KEYPOINTS
from kpt_tools.demo.scene import MAX_OBJECTS, Scene, SceneObject, draw_scene

WIDTH, HEIGHT = 320, 240


@functools.cache
def scenes() -> tuple[Scene, ...]:
    return tuple(draw_scene(np.random.default_rng([7, index]), WIDTH, HEIGHT) for index in range(150))


def objects() -> list[SceneObject]:
    found = [found for scene in scenes() for found in scene.objects]
    assert len(found) > 150
    return found


def test_pictures_hold_zero_to_three_pliers_and_each_number_occurs() -> None:
    counts = Counter(len(scene.objects) for scene in scenes())
    assert sorted(counts) == list(range(MAX_OBJECTS + 1))
    assert 0.04 < counts[0] / len(scenes()) < 0.20


def test_pictures_are_pictures() -> None:
    for scene in scenes():
        assert (scene.image_bgr.shape, scene.image_bgr.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        assert scene.image_bgr.std() > 2.0


def test_boxes_lie_in_the_picture_and_are_large_enough() -> None:
    sides = []
    for found in objects():
        x1, y1, x2, y2 = found.box_xyxy_px
        assert 0.0 <= x1 < x2 <= WIDTH
        assert 0.0 <= y1 < y2 <= HEIGHT
        sides.append(max(x2 - x1, y2 - y1) / HEIGHT)
    assert 0.28 < min(sides)
    assert 0.4 < float(np.median(sides)) < 0.7


def test_labelled_keypoints_lie_in_box_and_picture() -> None:
    for found in objects():
        x1, y1, x2, y2 = found.box_xyxy_px
        for x, y, v in found.keypoints_xyv:
            if v:
                assert (type(x), type(y)) == (int, int)
                assert round(x1) <= x <= round(x2)
                assert round(y1) <= y <= round(y2)
                assert 0 <= x < WIDTH
                assert 0 <= y < HEIGHT


def test_unlabelled_keypoints_are_zeros_and_belong_to_cut_objects() -> None:
    cut = [found for found in objects() if any(v == 0 for *_, v in found.keypoints_xyv)]
    assert 0 < len(cut) < 0.2 * len(objects())
    for found in cut:
        x1, y1, x2, y2 = found.box_xyxy_px
        assert x1 == 0.0 or y1 == 0.0 or x2 == WIDTH or y2 == HEIGHT
        assert all((x, y) == (0, 0) for x, y, v in found.keypoints_xyv if v == 0)
        assert sum(v > 0 for *_, v in found.keypoints_xyv) >= 2


def test_some_keypoints_are_hidden_but_most_are_seen() -> None:
    seen = Counter(v for found in objects() for *_, v in found.keypoints_xyv)
    assert set(seen) == {0, 1, 2}
    assert seen[1] >= 5
    assert seen[2] > 0.9 * seen.total()


def test_right_is_right_of_the_axis_for_handles_and_heads() -> None:
    checked = 0
    for found in objects():
        if all(v for *_, v in found.keypoints_xyv):
            points = np.array(found.keypoints_xyv, float)[:, :2]
            axis = points[KEYPOINTS.index("middle")] - (points[0] + points[1]) / 2
            for right, left in FLIP_PAIRS:
                across = points[right] - points[left]
                assert axis[0] * across[1] - axis[1] * across[0] > 0
                checked += 1
    assert checked > 250


def test_pliers_point_in_all_directions_but_mostly_upwards() -> None:
    quarters = Counter()
    for found in objects():
        if all(v for *_, v in found.keypoints_xyv):
            points = np.array(found.keypoints_xyv, float)[:, :2]
            dx, dy = points[3:].mean(axis=0) - points[2]
            quarters["right" if dx > 0 else "left", "up" if dy < 0 else "down"] += 1
    assert len(quarters) == 4
    up = {side: quarters[side, "up"] for side in ("left", "right")}
    assert min(up.values()) > 0.3 * quarters.total()
    assert 0.02 < (quarters.total() - sum(up.values())) / quarters.total() < 0.15


def test_pliers_stand_out_from_what_is_behind_them() -> None:
    """The picture changes at a pivot: a rivet of metal lies there."""
    differences = []
    for scene in scenes():
        surface = np.median(scene.image_bgr.reshape(-1, 3).astype(float), axis=0)
        for found in scene.objects:
            for name in ("right_handle", "left_handle"):
                x, y, v = found.keypoints_xyv[KEYPOINTS.index(name)]
                if v == 2:
                    differences.append(np.abs(scene.image_bgr[y, x] - surface).max())
    assert len(differences) > 250
    assert float(np.percentile(differences, 10)) > 20.0


@pytest.mark.parametrize(("width", "height"), [(96, 96), (200, 400)])
def test_other_sizes(width: int, height: int) -> None:
    drawn = [draw_scene(np.random.default_rng([1, index]), width, height) for index in range(12)]
    assert all(scene.image_bgr.shape == (height, width, 3) for scene in drawn)
    boxes = [found.box_xyxy_px for scene in drawn for found in scene.objects]
    assert boxes
    assert all(x2 <= width and y2 <= height for _, _, x2, y2 in boxes)


def test_the_generator_decides_everything() -> None:
    first, again, other = (draw_scene(np.random.default_rng(seed), WIDTH, HEIGHT) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.image_bgr, again.image_bgr)
    assert first.objects == again.objects
    assert np.any(first.image_bgr != other.image_bgr)
