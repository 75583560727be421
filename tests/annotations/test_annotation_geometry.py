from __future__ import annotations

from typing import Any

import pytest

from kpt_tools.annotations.geometry import BoxPolicy, box_of_keypoints, clip_box, find_apart, fit_instance
from kpt_tools.entities import Category, Instance

CATEGORY = Category(7, "plier", ("tip", "heel"))
POINTS = ((12.0, 10.0, 2), (32.0, 20.0, 1))


def instance(**changes: Any) -> Instance:
    row: dict[str, Any] = {"id": 11, "image_id": 1, "category_id": 7, "box_xywh_px": (10.0, 8.0, 30.0, 20.0)}
    return Instance(**{**row, "area_px": 500.0, "keypoints_xyv": POINTS, **changes})


def fit(given: Instance, *, from_keypoints: bool = False) -> tuple[Instance | None, list[str]]:
    fitted, findings = fit_instance(given, CATEGORY, 64, 48, BoxPolicy(from_keypoints), "a.jpg")
    return fitted, [f.code for f in findings]


def test_sound_object_is_untouched() -> None:
    assert fit(instance()) == (instance(), [])


@pytest.mark.parametrize(
    ("box", "expected", "codes"),
    [
        ((-5, 8, 30, 20), (0, 8, 25, 20), ["box-clipped"]),
        ((50, 40, 30, 20), (50, 40, 14, 8), ["box-clipped"]),
        ((0, 0, 64.5, 48.9), (0, 0, 64, 48), ["box-rounding"]),
        ((0, 0, 64, 48), (0, 0, 64, 48), []),
        ((0, 0, 64 + 1e-9, 48), (0, 0, 64, 48), []),
        ((70, 8, 30, 20), None, ["box-outside"]),
        ((64, 8, 30, 20), None, ["box-outside"]),
        ((63.5, 8, 30, 20), None, ["box-too-small"]),
        ((10, 8, 0.5, 20), None, ["box-too-small"]),
        (None, None, ["box-missing"]),
    ],
    ids=["left", "corner", "rounding", "exact", "noise", "outside", "beside", "sliver", "thin", "none"],
)
def test_boxes_at_the_border(box: Any, expected: Any, codes: list[str]) -> None:
    fitted, found = fit(instance(box_xywh_px=box))
    assert found == codes
    assert (fitted and fitted.box_xywh_px) == expected


@pytest.mark.parametrize("box", [None, (70.0, 8.0, 30.0, 20.0), (10.0, 8.0, 0.5, 20.0)])
def test_unusable_box_is_made_from_keypoints_when_asked(box: Any) -> None:
    fitted, codes = fit(instance(box_xywh_px=box, area_px=0.0), from_keypoints=True)
    assert codes == ["box-from-keypoints"]
    assert fitted is not None
    assert fitted.box_xywh_px == (9.0, 7.0, 26.0, 16.0)  # extent 20 x 10, padded by 3
    assert fitted.area_px == 26.0 * 16.0


def test_one_point_makes_no_box() -> None:
    lonely = instance(box_xywh_px=None, keypoints_xyv=((12.0, 10.0, 2), (0.0, 0.0, 0)))
    assert fit(lonely, from_keypoints=True) == (None, ["box-missing"])


def test_box_from_keypoints_is_clipped() -> None:
    assert box_of_keypoints(((1, 1, 2), (41, 21, 2)), 64, 48, 0.15) == (0.0, 0.0, 47.0, 27.0)


def test_padding_option_is_told_when_a_box_is_missing() -> None:
    _, findings = fit_instance(instance(box_xywh_px=None), CATEGORY, 64, 48, BoxPolicy(), "a.jpg")
    assert findings[0].message == (
        "a.jpg: annotation 11 ('plier'): no box; left out. Draw a box, or use --boxes-from-keypoints."
    )


@pytest.mark.parametrize(
    ("point", "expected", "codes"),
    [
        ((64.0, 48.0, 2), (64.0, 48.0, 2), []),
        ((0.0, 0.0, 1), (0.0, 0.0, 1), []),
        ((64.1, 10.0, 2), (0.0, 0.0, 0), ["keypoint-outside"]),
        ((5.0, -0.1, 1), (0.0, 0.0, 0), ["keypoint-outside"]),
        ((5.0, 6.0, 0), (0.0, 0.0, 0), ["keypoint-unlabelled-position"]),
        ((0.0, 0.0, 0), (0.0, 0.0, 0), []),
    ],
)
def test_points(point: Any, expected: Any, codes: list[str]) -> None:
    fitted, found = fit(instance(keypoints_xyv=(POINTS[0], point)))
    assert fitted is not None
    assert fitted.keypoints_xyv == (POINTS[0], expected)
    assert found == codes


def test_object_without_keypoints_gets_unlabelled_ones() -> None:
    fitted, codes = fit(instance(keypoints_xyv=()))
    assert fitted is not None
    assert fitted.keypoints_xyv == ((0.0, 0.0, 0),) * 2
    assert codes == []


def test_missing_area_is_the_box_and_never_more_than_it() -> None:
    missing, codes = fit(instance(area_px=0.0))
    cut, _ = fit(instance(box_xywh_px=(-20.0, 8.0, 30.0, 20.0), area_px=600.0))
    assert missing is not None
    assert (missing.area_px, codes) == (600.0, ["area-missing"])
    assert cut is not None
    assert cut.area_px == 200.0


def test_crowd_is_told_and_kept() -> None:
    fitted, codes = fit(instance(iscrowd=True))
    assert fitted is not None
    assert fitted.iscrowd
    assert codes == ["crowd"]


def test_clip_box_outside_has_no_size() -> None:
    assert min(clip_box((-30, 0, 20, 5), 64, 48)[2:]) <= 0


def test_box_and_keypoints_apart_are_found_once() -> None:
    box = instance(keypoints_xyv=())
    points = instance(id=12, box_xywh_px=None)
    assert [f.code for f in find_apart([box, points], "a.jpg")] == ["box-keypoints-apart"]
    assert find_apart([box, instance(id=12, box_xywh_px=None, category_id=8)], "a.jpg") == []
    assert find_apart([instance(keypoints_xyv=(), box_xywh_px=(40.0, 30.0, 9.0, 9.0)), points], "a.jpg") == []
    assert find_apart([instance(), points], "a.jpg") == []
