from __future__ import annotations

import pytest

from kpt_tools.annotations.scaling import reduced_size, scaled_instance
from kpt_tools.entities import Instance


@pytest.mark.parametrize(
    ("size", "max_side", "expected"),
    [
        ((1920, 1080), 960, (960, 540)),
        ((1080, 1920), 960, (540, 960)),
        ((1920, 1080), 512, (512, 288)),
        ((1921, 1080), 512, (512, 288)),
        ((640, 480), 640, (640, 480)),
        ((640, 480), 1000, (640, 480)),
        ((640, 480), None, (640, 480)),
        ((10_000, 3), 100, (100, 1)),
    ],
    ids=["wide", "high", "odd share", "rounded", "equal", "never enlarged", "no limit", "at least one pixel"],
)
def test_the_longer_side_is_limited(size: tuple[int, int], max_side: int | None, expected: tuple[int, int]) -> None:
    assert reduced_size(*size, max_side) == expected


def test_everything_is_scaled_but_unlabelled_points() -> None:
    instance = Instance(
        1,
        2,
        3,
        (10, 20, 30, 40),
        600.0,
        ((10, 20, 2), (0, 0, 0), (30, 40, 1)),
        False,
        ((0.0, 2.0, 4.0, 6.0, 8.0, 10.0),),
    )
    found = scaled_instance(instance, 0.5, 0.25)
    assert found.box_xywh_px == (5, 5, 15, 10)
    assert found.area_px == 75
    assert found.keypoints_xyv == ((5, 5, 2), (0, 0, 0), (15, 10, 1))
    assert found.segmentation == ((0.0, 0.5, 2.0, 1.5, 4.0, 2.5),)
    assert (found.id, found.image_id, found.category_id, found.iscrowd) == (1, 2, 3, False)


def test_a_factor_of_one_changes_nothing() -> None:
    instance = Instance(1, 2, 3, None)
    assert scaled_instance(instance, 1.0, 1.0) is instance
    assert scaled_instance(instance, 0.5, 0.5).box_xywh_px is None
