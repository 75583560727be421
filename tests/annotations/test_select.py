"""One class with some of its keypoints."""

import pytest

from kpt_tools.annotations.select import find_category, select_points
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance
from kpt_tools.errors import ConfigError

CAT = Category(5, "cat", ("a", "b", "c"), ((0, 1), (1, 2)))
TOY = Category(6, "toy")


def dataset(*categories: Category) -> Dataset:
    points = ((1.0, 1.0, 2), (2.0, 2.0, 1), (0.0, 0.0, 0))
    rows = (Instance(1, 1, 5, None, keypoints_xyv=points), Instance(2, 1, 5, None), Instance(3, 1, 6, None))
    return Dataset((ImageRecord(1, "x.jpg", 9, 9),), categories or (CAT, TOY), rows, "x.json")


def test_points_are_kept_in_the_order_asked_for() -> None:
    kept, told = select_points(dataset(), CAT, ("c", "b"))
    assert kept.categories == (Category(5, "cat", ("c", "b"), ((1, 0),)),)
    assert kept.instances[0].keypoints_xyv == ((0.0, 0.0, 0), (2.0, 2.0, 1))
    assert kept.instances[1].keypoints_xyv == ()
    assert [found.message for found in told] == ["x.json: 1 object(s) of other classes than 'cat' are not used."]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(("a", "d"), "has no keypoint 'd'", id="unknown"),
        pytest.param(("a", "a"), "expected at least one keypoint, and each once", id="twice"),
        pytest.param((), "expected at least one keypoint", id="none"),
    ],
)
def test_wrong_names_are_refused(names, message) -> None:
    with pytest.raises(ConfigError, match=message):
        select_points(dataset(), CAT, names)


def test_the_only_class_with_keypoints_needs_no_name() -> None:
    assert find_category(dataset(), None) == CAT
    assert find_category(dataset(), "cat") == CAT


@pytest.mark.parametrize(
    ("categories", "name", "message"),
    [
        pytest.param((CAT, TOY), "toy", "no class 'toy' with keypoints", id="without keypoints"),
        pytest.param((CAT, Category(7, "dog", ("n",))), None, "cat, dog; expected one. Name it", id="several"),
        pytest.param((TOY,), None, "classes with keypoints: none", id="none"),
    ],
)
def test_classes_that_cannot_be_meant(categories, name, message) -> None:
    with pytest.raises(ConfigError, match=message):
        find_category(dataset(*categories), name)
