from __future__ import annotations

import pytest

from kpt_tools.entities import Category, Dataset, Instance, KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError
from kpt_tools.stages.class_match import as_label_map, keypoint_order, match_classes


def label_map(name: str = "plier", points: tuple[str, ...] = ("left", "right")) -> LabelMap:
    return LabelMap((LabelMapItem(1, name, tuple(KeypointLabel(i, p, p) for i, p in enumerate(points))),))


def dataset(*categories: Category) -> Dataset:
    return Dataset((), categories or (Category(15, "plier", ("right", "tip", "left")), Category(16, "cup")), ())


def test_by_name_with_foreign_ids_and_other_order() -> None:
    classes = match_classes(dataset(), label_map(), "a.json")
    assert {category_id: item.name for category_id, item in classes.items()} == {15: "plier"}
    order = keypoint_order(dataset(), classes, "a.json")
    assert order == {15: [2, 0]}
    annotated = Instance(7, 3, 15, (0, 0, 9, 9), 5.0, ((1, 1, 2), (2, 2, 2), (3, 3, 1)), True)
    assert as_label_map(annotated, classes[15], order[15]) == Instance(
        7, 3, 1, (0, 0, 9, 9), 5.0, ((3, 3, 1), (1, 1, 2)), True
    )


def test_object_without_points_stays_without() -> None:
    item = label_map().items[0]
    assert as_label_map(Instance(7, 3, 15, None), item, [2, 0]).keypoints_xyv == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Plier", "a.json: has the class 'plier' where the model has 'Plier'; case counts"),
        ("pliers", "a.json: has no class 'pliers', which the model detects; did you mean 'plier'"),
        ("sheep", "a.json: has no class 'sheep', which the model detects; known: cup, plier"),
    ],
)
def test_missing_class(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        match_classes(dataset(), label_map(name), "a.json")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (("left", "tipp"), "class 'plier' has no keypoint 'tipp', which the model detects; did you mean 'tip'"),
        (("left", "Right"), "has no keypoint 'Right'.*did you mean 'right'"),
    ],
)
def test_missing_keypoint(points: tuple[str, ...], message: str) -> None:
    classes = match_classes(dataset(), label_map(points=points), "a.json")
    with pytest.raises(ConfigError, match=message):
        keypoint_order(dataset(), classes, "a.json")


def test_category_without_keypoints() -> None:
    bare = dataset(Category(1, "plier"))
    with pytest.raises(ConfigError, match="which the model detects; it has no keypoints"):
        keypoint_order(bare, match_classes(bare, label_map(), "a.json"), "a.json")
