from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from coco_factories import coco_dict
from exchange_factories import BOLT, MOUSE, content, image, mice, mouse

from kpt_tools.annotations.coco import parse_coco, to_coco
from kpt_tools.annotations.merge import Merged, MergePolicy, merge, same_by_record
from kpt_tools.entities import Category, Dataset, ImageRecord
from kpt_tools.errors import ConfigError, DataError


def other(**changes: Any) -> Dataset:
    """Two mice in two other images, with the ids of `mice()`."""
    dataset = mice()
    images = tuple(replace(row, file_name=f"other{row.id}.jpg") for row in dataset.images)
    fields = {"images": images, "categories": dataset.categories, "instances": dataset.instances, "source": "b.json"}
    return Dataset(**{**fields, **changes})


def of_category(category: Category) -> Dataset:
    """`other()` with its mice of another class."""
    rows = tuple(replace(row, category_id=category.id) for row in other().instances)
    return other(categories=(category,), instances=rows)


def merged(*datasets: Dataset, same: Any = same_by_record, **policy: Any) -> Merged:
    parts = [(f"{name}.json", dataset) for name, dataset in zip("abcd", datasets, strict=False)]
    return merge(parts, MergePolicy(**policy), same)


def yes(i: int, a: ImageRecord, j: int, b: ImageRecord) -> bool:
    return True


def no(i: int, a: ImageRecord, j: int, b: ImageRecord) -> bool:
    return False


def test_everything_is_there_and_ids_are_unique() -> None:
    found = merged(mice(), other())
    dataset = found.dataset
    assert content(dataset) == sorted(content(mice()) + content(other()), key=repr)
    assert [row.id for row in dataset.images] == [1, 2, 3, 4, 5, 6]
    assert [row.id for row in dataset.instances] == [11, 12, 13, 14]
    assert dataset.categories == (MOUSE,)
    assert found.report.counts() == {"image-id-renumbered": 3, "annotation-id-renumbered": 2}
    assert found.origin[5] == (1, other().images[1])
    assert merged(mice(), other()).dataset == dataset, "merging again gives the same ids"


def test_free_ids_are_kept() -> None:
    apart = other(images=(image(77, "x.jpg"), image(2, "y.jpg")), instances=(mouse(500, 77), mouse(11, 2)))
    dataset = merged(mice(), apart).dataset
    assert [row.id for row in dataset.images] == [1, 2, 3, 77, 78]
    assert [(row.id, row.image_id) for row in dataset.instances] == [(11, 1), (12, 2), (500, 77), (501, 78)]


def test_the_result_is_plain_coco_that_reads_back() -> None:
    dataset = merged(mice(), other()).dataset
    found, report = parse_coco(to_coco(dataset), "merged.json")
    assert content(found) == content(dataset)
    assert report.findings == []


def test_classes_by_name_whatever_their_ids() -> None:
    found = merged(mice(), of_category(replace(MOUSE, id=99)))
    assert [row.id for row in found.dataset.categories] == [MOUSE.id]
    assert {row.category_id for row in found.dataset.instances} == {MOUSE.id}


def test_a_new_class_with_a_taken_id() -> None:
    found = merged(mice(), of_category(replace(MOUSE, name="rat")))
    assert [(row.id, row.name) for row in found.dataset.categories] == [(3, "mouse"), (4, "rat")]
    assert [row.category_id for row in found.dataset.instances] == [3, 3, 4, 4]


def test_the_same_keypoints_in_another_order() -> None:
    turned = replace(MOUSE, keypoints=MOUSE.keypoints[::-1], skeleton=((3, 2), (3, 1), (2, 0)))
    rows = tuple(replace(row, keypoints_xyv=row.keypoints_xyv[::-1]) for row in other().instances)
    found = merged(mice(), other(categories=(turned,), instances=(*rows, mouse(99, 1, keypoints_xyv=()))))
    assert set(content(found.dataset)) > set(content(merged(mice(), other()).dataset))
    assert {len(row.keypoints_xyv) for row in found.dataset.instances} == {0, 4}
    assert found.report.counts()["keypoint-order-changed"] == 1
    assert "skeleton-differs" not in found.report.counts()


@pytest.mark.parametrize("keypoints", [("snout",), (), (*MOUSE.keypoints, "nose"), ("a", "b", "c", "d")])
def test_other_keypoints_are_an_error_that_names_both(keypoints: tuple[str, ...]) -> None:
    rows = tuple(replace(row, keypoints_xyv=()) for row in other().instances)
    dataset = other(categories=(replace(MOUSE, keypoints=keypoints, skeleton=()),), instances=rows)
    with pytest.raises(DataError, match=r"class 'mouse': keypoints are snout, .* in a.json and .* in b.json; expected"):
        merged(mice(), dataset)


def test_another_skeleton_is_told() -> None:
    found = merged(mice(), of_category(replace(MOUSE, skeleton=())))
    assert found.dataset.categories[0].skeleton == MOUSE.skeleton
    assert found.report.counts()["skeleton-differs"] == 1


def test_rename() -> None:
    found = merged(mice(), of_category(replace(MOUSE, name="Maus")), rename={"Maus": "mouse"})
    assert [row.name for row in found.dataset.categories] == ["mouse"]
    assert found.report.counts()["category-renamed"] == 1
    with pytest.raises(ConfigError, match="--rename: no class 'mause'; did you mean 'mouse'"):
        merged(mice(), other(), rename={"mause": "rat"})


def test_case() -> None:
    upper = of_category(replace(MOUSE, name="Mouse", id=9))
    found = merged(mice(), upper)
    assert [row.name for row in found.dataset.categories] == ["mouse", "Mouse"]
    assert found.report.counts()["category-name-case"] == 1
    assert "--rename 'Mouse=mouse', or --ignore-case" in found.report.findings[-1].message
    found = merged(mice(), upper, ignore_case=True)
    assert [row.name for row in found.dataset.categories] == ["mouse"]
    assert found.report.counts()["category-case-merged"] == 1


def test_one_picture_in_two_files_keeps_the_objects_of_both() -> None:
    more = Dataset((image(8, "img1.jpg"),), (MOUSE, BOLT), (mouse(50, 8), mouse(51, 8, area_px=3.0)), "b.json")
    found = merged(mice(), more, same=yes)
    assert [row.file_name for row in found.dataset.images] == ["img1.jpg", "img2.jpg", "img3.jpg"]
    assert [(row.id, row.image_id) for row in found.dataset.instances] == [(11, 1), (12, 2), (51, 1)]
    assert found.report.counts() == {"image-merged": 1, "object-duplicate": 1}


def test_doubles_within_one_file_are_not_ours_to_judge() -> None:
    twice = Dataset(mice().images, (MOUSE,), (mouse(11), mouse(12)), "a.json")
    assert len(merged(twice, other()).dataset.instances) == 4


def test_pictures_that_may_be_the_same_or_not() -> None:
    with pytest.raises(DataError, match=r"img1.jpg: is in a.json and in b.json, and it cannot be told .* --images"):
        merged(mice(), mice())
    with pytest.raises(DataError, match=r"img1.jpg: is one picture in a.json and another in b.json; .*--copy-images"):
        merged(mice(), mice(), same=no)


def test_other_names_for_copies() -> None:
    found = merged(mice(), mice(), mice(), same=no, rename_images=True)
    names = [row.file_name for row in found.dataset.images]
    assert names[:6] == ["img1.jpg", "img2.jpg", "img3.jpg", "b_img1.jpg", "b_img2.jpg", "b_img3.jpg"]
    assert len(set(names)) == 9
    assert found.report.counts()["image-renamed"] == 6
    assert len(found.dataset.instances) == 6


def test_prefixes() -> None:
    found = merged(mice(), mice(), prefixes=("", "tuesday/"))
    assert [row.file_name for row in found.dataset.images][3:] == [f"tuesday/img{n}.jpg" for n in (1, 2, 3)]
    assert "image-renamed" not in found.report.counts()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (image(), image(), None),
        (image(), image(width=65), False),
        (image(), image(width=0, height=0), None),
        (
            replace(image(), source_path="/datasets/m/img1.jpg"),
            replace(image(), source_path="/datasets/m/img1.jpg"),
            True,
        ),
        (
            replace(image(), source_path="/datasets/m/img1.jpg"),
            replace(image(), source_path="/datasets/n/img1.jpg"),
            None,
        ),
    ],
    ids=["name", "size", "no size", "one path", "two paths"],
)
def test_what_the_records_tell(a: ImageRecord, b: ImageRecord, expected: bool | None) -> None:
    assert same_by_record(0, a, 1, b) is expected


def test_merging_a_file_into_one_with_findings_of_its_own() -> None:
    dataset, report = parse_coco(coco_dict(), "c.json")
    assert report.findings == []
    assert len(merged(dataset, other()).dataset.instances) == 3
