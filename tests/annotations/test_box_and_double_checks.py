from __future__ import annotations

from typing import Any

import pytest

from kpt_tools.annotations.checks.boxes import check_boxes, iou, segmentation_box
from kpt_tools.annotations.checks.classes import check_classes
from kpt_tools.annotations.checks.duplicates import check_duplicates, duplicate_annotations
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance

POINTS = ((20.0, 20.0, 2), (40.0, 40.0, 2), (30.0, 25.0, 1))


def one(object_id: int = 1, **changes: Any) -> Instance:
    values: dict[str, Any] = {"box_xywh_px": (10.0, 10.0, 40.0, 40.0), "keypoints_xyv": POINTS, **changes}
    return Instance(object_id, 1, 1, **values)


def dataset(*instances: Instance, names: tuple[str, ...] = ("a.jpg",)) -> Dataset:
    images = tuple(ImageRecord(number, name, 200, 100) for number, name in enumerate(names, start=1))
    return Dataset(images, (Category(1, "plier", ("tip", "heel", "joint")),), instances)


def codes(data: Dataset) -> list[str]:
    return [found.code for found in check_boxes(data)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"box_xywh_px": None}, []),
        ({"keypoints_xyv": (*POINTS[:2], (53.9, 25.0, 2))}, []),
        ({"keypoints_xyv": (*POINTS[:2], (71.0, 25.0, 2))}, ["keypoint-far-from-box"]),
        ({"keypoints_xyv": (*POINTS[:2], (71.0, 25.0, 0))}, []),
        ({"keypoints_xyv": (*POINTS[:2], (999.0, 25.0, 2))}, []),
        ({"keypoints_xyv": (POINTS[0], (80.0, 25.0, 2), (90.0, 25.0, 2))}, ["box-keypoints-mismatch"]),
        ({"keypoints_xyv": (POINTS[0], (80.0, 25.0, 2), (90.0, 25.0, 2)), "iscrowd": True}, []),
        ({"segmentation": ((10, 10, 50, 10, 50, 50, 10, 50),)}, []),
        ({"segmentation": ((10, 10, 30, 10, 30, 30),)}, ["box-segmentation-mismatch"]),
        ({"segmentation": ((10, 10, 20, 10), (30, 30, 50, 50))}, []),
    ],
    ids=["sound", "no box", "a little out", "far", "not labelled", "outside the image", "most out", "crowd",
         "drawn box", "other segmentation", "two parts"],
)  # fmt: skip
def test_boxes(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(dataset(one(**changes))) == expected


def test_small_objects_may_differ_by_pixels() -> None:
    small = one(box_xywh_px=(10, 10, 5, 5), keypoints_xyv=(), segmentation=((11, 11, 18, 11, 18, 18, 11, 18),))
    assert codes(dataset(small)) == []


def test_segmentation_beyond_the_border_is_honest() -> None:
    beyond = one(box_xywh_px=(0, 0, 50, 50), segmentation=((-90, 0, 50, 0, 50, 50),), keypoints_xyv=())
    assert codes(dataset(beyond)) == []


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 10, 10), 1 / 3),
        ((0, 0, 10, 10), (20, 0, 10, 10), 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
    ],
)
def test_iou(a: Any, b: Any, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)


def test_segmentation_box() -> None:
    assert segmentation_box(one(segmentation=((1, 2, 5, 2, 5, 9), (0, 3, 4, 4)))) == (0, 2, 5, 7)
    assert segmentation_box(one()) is None
    assert segmentation_box(one(segmentation=((1, 2, 5, 2, 3, 2),))) is None


@pytest.mark.parametrize(
    ("second", "same"),
    [
        ({}, True),
        ({"box_xywh_px": (10.5, 10.0, 40.0, 40.5)}, True),
        ({"keypoints_xyv": ()}, True),
        ({"keypoints_xyv": ((20.0, 20.0, 2), (40.0, 40.0, 2), (0.0, 0.0, 0))}, True),
        ({"keypoints_xyv": ((45.0, 20.0, 2), (15.0, 40.0, 2), (30.0, 25.0, 1))}, False),
        ({"box_xywh_px": (20.0, 10.0, 40.0, 40.0)}, False),
        ({"box_xywh_px": None}, True),
        ({"iscrowd": True}, False),
    ],
    ids=["equal", "nearly", "box alone", "fewer points", "other points", "other box", "points alone", "crowd"],
)
def test_doubles(second: dict[str, Any], same: bool) -> None:
    assert bool(duplicate_annotations([one(1), one(2, **second)])) is same


def test_the_better_labelled_one_is_kept_and_each_goes_once() -> None:
    poor = one(1, keypoints_xyv=((20.0, 20.0, 2), (0.0, 0.0, 0), (0.0, 0.0, 0)))
    pairs = duplicate_annotations([poor, one(2), one(3)])
    assert [(keep.id, double.id) for keep, double in pairs] == [(2, 1), (2, 3)]


def test_doubled_names_are_told_once() -> None:
    found = check_duplicates(dataset(names=("a.jpg", "a.jpg", "a.jpg", "b.jpg")))
    assert [(f.code, f.image) for f in found] == [("image-name-shared", "a.jpg")]


def test_classes() -> None:
    data = dataset(one(keypoints_xyv=((1.0, 1.0, 2), (0.0, 0.0, 0), (2.0, 2.0, 1))))
    boxes_only = Dataset(data.images, (*data.categories, Category(2, "bolt")), data.instances)
    assert [f.code for f in check_classes(boxes_only)] == ["keypoint-never-labelled", "category-without-keypoints"]
    assert "'heel'" in check_classes(data)[0].message
