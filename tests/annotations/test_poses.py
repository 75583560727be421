from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from good_data import good_json

from kpt_tools.annotations.checks.poses import check_poses, permutation_of
from kpt_tools.annotations.checks.shapes import Shapes, coverage, distances, nearest, shapes_of
from kpt_tools.annotations.coco import parse_coco
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance

PAIRS = {3: [(1, 2), (3, 4)]}


def dataset(*, swapped: int = 0) -> Dataset:
    raw = good_json()
    for row in raw["annotations"][:swapped]:
        values = row["keypoints"]
        row["keypoints"] = [*values[:3], *values[6:9], *values[3:6], *values[12:15], *values[9:12], *values[15:]]
    return parse_coco(raw, "a.json")[0]


def instance(*points: tuple[float, float, int], object_id: int = 1, iscrowd: bool = False) -> Instance:
    return Instance(object_id, 1, 1, None, keypoints_xyv=points, iscrowd=iscrowd)


def turned(points: list[tuple[float, float, int]], angle: float, scale: float, shift: float) -> Instance:
    c, s = math.cos(angle), math.sin(angle)
    moved = [(scale * (c * x - s * y) + shift, scale * (s * x + c * y) - shift, v) for x, y, v in points]
    return instance(*moved, object_id=2)


SQUARE = [(0.0, 0.0, 2), (10.0, 0.0, 2), (10.0, 10.0, 2), (0.0, 10.0, 2)]


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0.0, 1.0, 0.0), (1.0, 3.0, 500.0), (-2.5, 0.1, -7.0)])
def test_distance_forgets_place_turn_and_size(angle: float, scale: float, shift: float) -> None:
    points = [*SQUARE[:3], (2.0, 13.0, 2)]
    shapes = shapes_of([instance(*points), turned(points, angle, scale, shift)], 4)
    assert distances(shapes, shapes)[0, 1] == pytest.approx(0.0, abs=1e-6)


def test_a_mirror_image_is_another_shape() -> None:
    points = [*SQUARE[:3], (2.0, 13.0, 2)]
    shapes = shapes_of([instance(*points), instance(*((-x, y, v) for x, y, v in points))], 4)
    assert distances(shapes, shapes)[0, 1] > 0.5


def test_distance_is_that_of_kendall() -> None:
    """A triangle against a segment with a point in its middle: correlation worked out by hand."""
    left, right = instance((0, 0, 2), (1, 0, 2), (0.5, 0.5, 2)), instance((0, 0, 2), (1, 0, 2), (0.5, 0, 2))
    shapes = shapes_of([left, right], 3)
    # centred: (-.5, -1/6), (.5, -1/6), (0, 1/3) and (-.5, 0), (.5, 0), (0, 0): cross .5, squares .5 + 1/6 and .5
    assert distances(shapes, shapes)[0, 1] == pytest.approx(math.sqrt(1 - 0.25 / ((0.5 + 1 / 6) * 0.5)))


def test_shapes_leave_out_crowds_few_points_and_coinciding_ones() -> None:
    found = shapes_of(
        [
            instance(*SQUARE, iscrowd=True),
            instance(*SQUARE[:2], (0, 0, 0), (0, 0, 0)),
            instance(*[(5.0, 5.0, 2)] * 4),
            instance(*SQUARE[:3], (1e308, 0.0, 2)),
            instance(*SQUARE, object_id=7),
        ],
        4,
    )
    assert [each.id for each in found.instances] == [7]


def test_only_shared_points_count() -> None:
    shapes = shapes_of([instance(*SQUARE), instance(*SQUARE[:3], (0, 0, 0)), instance((0, 0, 0), *SQUARE[1:])], 4)
    table = distances(shapes, shapes)
    assert table[0, 1] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(table[1, 2])
    assert coverage(shapes, shapes)[0].tolist() == [1.0, 0.75, 0.75]


def test_no_shapes_at_all() -> None:
    empty = shapes_of([], 4)
    assert distances(empty, empty).shape == (0, 0)
    assert np.isnan(nearest(np.zeros((3, 2)), 5)).all()


def test_sound_poses_are_scored_and_not_told() -> None:
    found = check_poses(dataset(), PAIRS)
    assert found.findings == ()
    assert len(found.scores) == 24
    assert [s.score for s in found.scores] == sorted((s.score for s in found.scores), reverse=True)


@pytest.mark.parametrize("count", [1, 2])
def test_few_exchanged_objects_are_named(count: int) -> None:
    found = check_poses(dataset(swapped=count), PAIRS)
    assert Counter(f.code for f in found.findings) == {"sides-swapped": count}
    assert {f.annotation_id for f in found.findings} == set(range(101, 101 + count))
    assert all("left_ear and right_ear, left_hip and right_hip" in f.message for f in found.findings)
    assert {score.swapped for score in found.scores[:count]} == {((1, 2), (3, 4))}


def test_without_pairs_nothing_is_said_of_sides() -> None:
    assert {f.code for f in check_poses(dataset(swapped=1)).findings} <= {"pose-outlier"}


def test_too_few_objects_say_nothing() -> None:
    whole = dataset(swapped=1)
    few = Dataset(whole.images, whole.categories, whole.instances[:19])
    assert check_poses(few, PAIRS).scores == ()


def test_equal_poses_have_no_spread_and_no_outliers() -> None:
    whole = dataset()
    points = whole.instances[0].keypoints_xyv
    same = tuple(Instance(i.id, i.image_id, 3, i.box_xywh_px, keypoints_xyv=points) for i in whole.instances)
    found = check_poses(Dataset(whole.images, whole.categories, same), PAIRS)
    assert found.findings == ()
    assert len(found.scores) == 24


def test_permutation() -> None:
    assert permutation_of([(0, 2)], 4) == [2, 1, 0, 3]


def many(count: int, swapped: tuple[int, ...]) -> Dataset:
    """One picture of many animals in all directions."""
    base = np.array([[0, -30], [-10, -20], [10, -20], [-12, 18], [12, 18], [0, 28]], float)
    rng = np.random.default_rng(3)
    instances = []
    for number in range(count):
        angle = rng.uniform(0, 2 * math.pi)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        points = (base + rng.normal(0, 0.8, base.shape)) @ turn.T + 100
        if number in swapped:
            points = points[permutation_of(PAIRS[3], 6)]
        xyv = tuple((float(x), float(y), 2) for x, y in points)
        instances.append(Instance(number, 1, 3, None, keypoints_xyv=xyv))
    names = ("nose", "left_ear", "right_ear", "left_hip", "right_hip", "tail")
    return Dataset((ImageRecord(1, "a.jpg", 200, 200),), (Category(3, "mouse", names),), tuple(instances), "a.json")


def test_a_class_too_large_to_compare_all_with_all() -> None:
    seen: list[tuple[int, str]] = []

    def progress(blocks: Sequence[slice], what: str) -> Sequence[slice]:
        seen.append((len(blocks), what))
        return blocks

    found = check_poses(many(2600, (0, 1300, 2599)), PAIRS, progress)
    assert sorted(score.annotation_id for score in found.scores if score.swapped) == [0, 1300, 2599]
    assert len(found.scores) == 2600
    assert [row.code for row in found.findings] == ["sides-swapped"] * 3
    assert seen == [(6, "comparing poses"), (6, "looking for exchanged sides")]


def test_shapes_with_all_points_are_compared_as_all_others() -> None:
    rng = np.random.default_rng(1)
    whole = shapes_of([instance(*((*xy, 2) for xy in rng.normal(0, 9, (5, 2)))) for _ in range(9)], 5)
    gap = shapes_of([instance(*((*xy, 2) for xy in rng.normal(0, 9, (4, 2))), (0.0, 0.0, 0))], 5)
    mixed = Shapes(
        whole.instances + gap.instances,
        np.concatenate([whole.points, gap.points]),
        np.concatenate([whole.labelled, gap.labelled]),
    )
    assert distances(mixed, mixed)[:9, :9] == pytest.approx(distances(whole, whole), abs=1e-7)
