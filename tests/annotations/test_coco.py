from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_factories import category_dict, coco_dict, image_dict, object_dict

from kpt_tools.annotations.coco import parse_coco, read_coco, to_coco
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance
from kpt_tools.errors import ConfigError, DataError

NAN, INF = float("nan"), float("inf")


def with_object(**changes: Any) -> dict[str, Any]:
    return coco_dict(annotations=[object_dict(**changes)])


def with_two_classes(**changes: Any) -> dict[str, Any]:
    return coco_dict(
        categories=[category_dict(7), category_dict(8, **changes)],
        annotations=[object_dict(11), object_dict(12, category_id=8)],
    )


def test_sound_file_becomes_entities_without_findings() -> None:
    dataset, report = parse_coco(coco_dict(), "a.json")
    assert report.findings == []
    assert dataset == Dataset(
        (ImageRecord(1, "img1.jpg", 64, 48),),
        (Category(7, "plier", ("tip", "heel"), ((0, 1),)),),
        (
            Instance(
                11, 1, 7, (10.0, 8.0, 30.0, 20.0), 500.0, ((12.0, 10.0, 2), (30.0, 20.0, 1)), False,
                ((10.0, 8.0, 40.0, 8.0, 40.0, 28.0, 10.0, 28.0),),
            ),
        ),
        "a.json",
    )  # fmt: skip


# name: (file, expected codes with counts, number of images, classes, objects left)
CASES: dict[str, tuple[dict[str, Any], dict[str, int], tuple[int, int, int]]] = {
    "image is null": (coco_dict(images=[image_dict(), None]), {"entry-not-object": 1}, (1, 1, 1)),
    "category is a list": (coco_dict(categories=[category_dict(), []]), {"entry-not-object": 1}, (1, 1, 1)),
    "annotation is a text": (coco_dict(annotations=[object_dict(), "x"]), {"entry-not-object": 1}, (1, 1, 1)),
    "image id is a text": (coco_dict(images=[image_dict(), image_dict(id="2")]), {"image-id-invalid": 1}, (1, 1, 1)),
    "image id is true": (coco_dict(images=[image_dict(), image_dict(id=True)]), {"image-id-invalid": 1}, (1, 1, 1)),
    "image id twice": (coco_dict(images=[image_dict(), image_dict()]), {"image-id-duplicate": 1}, (1, 1, 1)),
    "no file name": (coco_dict(images=[image_dict(), image_dict(2, file_name=" ")]),
                     {"image-file-name-missing": 1}, (1, 1, 1)),
    "file name not UTF-8": (coco_dict(images=[image_dict(), image_dict(2, file_name="\ud800")]),
                            {"image-file-name-missing": 1}, (1, 1, 1)),
    "no size": (coco_dict(images=[image_dict(width=None)]), {"image-size-missing": 1}, (1, 1, 1)),
    "size is infinite": (coco_dict(images=[image_dict(width=INF)]), {"image-size-missing": 1}, (1, 1, 1)),
    "category id missing": (coco_dict(categories=[category_dict(), category_dict(id=None)]),
                            {"category-id-invalid": 1}, (1, 1, 1)),
    "category id twice": (coco_dict(categories=[category_dict(), category_dict(name="x")]),
                          {"category-id-duplicate": 1}, (1, 1, 1)),
    "category without name": (with_two_classes(name=None),
                              {"category-name-missing": 1, "annotation-category-unknown": 1}, (1, 1, 1)),
    "category name twice": (with_two_classes(keypoints=["a"], skeleton=[]),
                            {"category-name-duplicate": 1, "annotation-category-unknown": 1}, (1, 1, 1)),
    "same category twice": (with_two_classes(), {"category-merged": 1}, (1, 1, 2)),
    "category name in two cases": (with_two_classes(name="Plier"), {"category-name-case": 1}, (1, 2, 2)),
    "keypoint name is null": (with_two_classes(name="x", keypoints=["a", None]),
                              {"keypoint-name-invalid": 1, "annotation-category-unknown": 1}, (1, 1, 1)),
    "keypoint names are an object": (with_two_classes(name="x", keypoints={"a": 1}),
                                     {"keypoint-name-invalid": 1, "annotation-category-unknown": 1}, (1, 1, 1)),
    "keypoint name twice": (with_two_classes(name="x", keypoints=["a", "a"]),
                            {"keypoint-name-duplicate": 1, "annotation-category-unknown": 1}, (1, 1, 1)),
    "skeleton counts from 0": (coco_dict(categories=[category_dict(skeleton=[[0, 1]])]),
                               {"skeleton-invalid": 1}, (1, 1, 1)),
    "skeleton is a number": (coco_dict(categories=[category_dict(skeleton=3)]), {"skeleton-invalid": 1}, (1, 1, 1)),
    "class without objects": (coco_dict(categories=[category_dict(), category_dict(8, name="x")]),
                              {"category-unused": 1}, (1, 2, 1)),
    "object id missing": (coco_dict(annotations=[object_dict(), object_dict(id=None)]),
                          {"annotation-id-invalid": 1}, (1, 1, 1)),
    "object id twice": (coco_dict(annotations=[object_dict(), object_dict(bbox=[1, 1, 5, 5])]),
                        {"annotation-id-duplicate": 1}, (1, 1, 1)),
    "unknown image": (coco_dict(annotations=[object_dict(), object_dict(12, image_id=9)]),
                      {"annotation-image-unknown": 1}, (1, 1, 1)),
    "unknown class": (coco_dict(annotations=[object_dict(), object_dict(12, category_id=[7])]),
                      {"annotation-category-unknown": 1}, (1, 1, 1)),
    "no keypoints": (with_object(keypoints=None), {"keypoints-missing": 1}, (1, 1, 1)),
    "keypoints are a text": (with_object(keypoints="x"), {"keypoints-invalid": 1, "keypoints-missing": 1}, (1, 1, 1)),
    "keypoints too short": (with_object(keypoints=[12, 10, 2], num_keypoints=1), {"keypoints-short": 1}, (1, 1, 1)),
    "half a keypoint": (with_object(keypoints=[12, 10, 2, 30, 20], num_keypoints=1), {"keypoints-short": 1}, (1, 1, 1)),
    "keypoints too long": (with_object(keypoints=[12, 10, 2, 30, 20, 1, 5, 5, 2]), {"keypoints-long": 1}, (1, 1, 1)),
    "x is NaN": (with_object(keypoints=[NAN, 10, 2, 30, 20, 1], num_keypoints=1), {"keypoint-invalid": 1}, (1, 1, 1)),
    "y is a text": (with_object(keypoints=[1, "1", 2, 30, 20, 1], num_keypoints=1), {"keypoint-invalid": 1}, (1, 1, 1)),
    "v is 3": (with_object(keypoints=[12, 10, 3, 30, 20, 1], num_keypoints=1),
               {"keypoint-visibility-invalid": 1}, (1, 1, 1)),
    "v is a score": (with_object(keypoints=[12, 10, 0.9, 30, 20, 1], num_keypoints=1),
                     {"keypoint-visibility-invalid": 1}, (1, 1, 1)),
    "v is true": (with_object(keypoints=[12, 10, True, 30, 20, 1], num_keypoints=1),
                  {"keypoint-visibility-invalid": 1}, (1, 1, 1)),
    "num_keypoints is wrong": (with_object(num_keypoints=5), {"num-keypoints-differs": 1}, (1, 1, 1)),
    "bbox of three": (with_object(bbox=[1, 2, 3]), {"box-invalid": 1}, (1, 1, 1)),
    "bbox with NaN": (with_object(bbox=[1, 2, NAN, 3]), {"box-invalid": 1}, (1, 1, 1)),
    "bbox of negative width": (with_object(bbox=[9, 2, -3, 3]), {"box-invalid": 1}, (1, 1, 1)),
    "bbox is a text": (with_object(bbox="1 2 3 4"), {"box-invalid": 1}, (1, 1, 1)),
    "area is negative": (with_object(area=-1), {"area-invalid": 1}, (1, 1, 1)),
    "area is huge": (with_object(area=10**400), {"area-invalid": 1}, (1, 1, 1)),
    "iscrowd is a text": (with_object(iscrowd="no"), {"iscrowd-invalid": 1}, (1, 1, 1)),
    "segmentation is RLE": (with_object(segmentation={"size": [48, 64], "counts": "x"}),
                            {"segmentation-rle": 1}, (1, 1, 1)),
    "segmentation of two points": (with_object(segmentation=[[1, 2, 3, 4]]), {"segmentation-invalid": 1}, (1, 1, 1)),
    "segmentation is a text": (with_object(segmentation="x"), {"segmentation-invalid": 1}, (1, 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "counts", "left"), CASES.values(), ids=CASES)
def test_each_fault_is_told_once_and_only_its_part_is_lost(
    raw: dict[str, Any], counts: dict[str, int], left: tuple[int, int, int]
) -> None:
    dataset, report = parse_coco(raw, "dir/a.json")
    assert report.counts() == counts
    assert (len(dataset.images), len(dataset.categories), len(dataset.instances)) == left
    assert all(f.message.startswith("a.json: ") for f in report.findings)
    assert all("\n" not in f.message for f in report.findings)
    assert parse_coco(json.loads(json.dumps(to_coco(dataset))), dataset.source)[0] == dataset


ROOTS = {
    "list": ([], "found a list at the top"),
    "number": (3, "found a number at the top"),
    "null": (None, "found null at the top"),
    "nothing in it": ({}, "there is no 'images'"),
    "images is a number": ({"images": 3, "categories": [], "annotations": []}, "'images' is a number"),
    "annotations is an object": ({"images": [], "categories": [], "annotations": {}}, "'annotations' is an object"),
    "no categories": ({"images": [], "annotations": []}, "there is no 'categories'"),
}


@pytest.mark.parametrize(("raw", "message"), ROOTS.values(), ids=ROOTS)
def test_what_is_not_coco_is_refused(raw: object, message: str) -> None:
    with pytest.raises(DataError, match=rf"^a\.json: {message}; expected a COCO object"):
        parse_coco(raw, "a.json")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", DataError, "the file is empty"),
        (json.dumps(coco_dict())[:50], DataError, "not valid JSON"),
        ("[" * 100_000, DataError, "not valid JSON"),
        (f'{{"images": {"9" * 5000}}}', DataError, "not valid JSON"),
        (None, ConfigError, "no such file"),
    ],
    ids=["empty", "truncated", "deep", "endless number", "absent"],
)
def test_unreadable_files_are_one_line(tmp_path: Path, text: str | None, error: type[Exception], message: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        read_coco(path)


@pytest.mark.parametrize("bbox", [None, [], [0, 0, 0, 0], [0.0, 0, 0.0, 0]], ids=repr)
def test_undrawn_box_is_none_and_not_told(bbox: object) -> None:
    dataset, report = parse_coco(with_object(bbox=bbox), "a.json")
    assert dataset.instances[0].box_xywh_px is None
    assert report.findings == []


@pytest.mark.parametrize(("value", "expected"), [(0, False), (1, True), (True, True), (False, False), (None, False)])
def test_iscrowd_may_be_bool_or_number(value: object, expected: bool) -> None:
    dataset, report = parse_coco(with_object(iscrowd=value), "a.json")
    assert dataset.instances[0].iscrowd is expected
    assert report.findings == []


def test_flat_segmentation_is_one_polygon() -> None:
    dataset, report = parse_coco(with_object(segmentation=[1, 2, 3, 4, 5, 6]), "a.json")
    assert dataset.instances[0].segmentation == ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0),)
    assert report.findings == []


def test_missing_num_keypoints_is_honest() -> None:
    row = object_dict()
    del row["num_keypoints"]
    report = parse_coco(coco_dict(annotations=[row, object_dict(12)]), "a.json")[1]
    assert report.counts() == {"num-keypoints-absent": 1}
    assert report.findings[0].severity == "info"
    assert "1 of 2 objects with keypoints have no num_keypoints" in report.findings[0].message


def test_short_keypoints_are_padded_and_long_ones_cut() -> None:
    rows = [object_dict(1, keypoints=[12, 10, 2]), object_dict(2, keypoints=[12, 10, 2, 0, 0, 0, 9, 9, 2])]
    dataset, _ = parse_coco(coco_dict(annotations=rows), "a.json")
    assert [i.keypoints_xyv for i in dataset.instances] == [((12.0, 10.0, 2), (0.0, 0.0, 0))] * 2


def test_length_message_is_the_documented_one() -> None:
    _, report = parse_coco(with_object(keypoints=[0] * 16), "fruit.json")
    assert report.findings[0].message == (
        "fruit.json: annotation 11: 'keypoints' has 16 values; 'plier' has 2 points, so 6 were expected. "
        "The surplus is cut off. Save its image again in coco-annotator."
    )


def test_unused_super_category_of_roboflow_is_left_out_and_told() -> None:
    top = {"id": 0, "name": "tools", "supercategory": "none"}
    dataset, report = parse_coco(coco_dict(categories=[top, category_dict(supercategory="tools")]), "a.json")
    assert [c.id for c in dataset.categories] == [7]
    assert report.counts() == {"category-super-dropped": 1}
    assert report.of_severity("info") == report.findings


def test_super_category_with_objects_stays() -> None:
    top = {"id": 0, "name": "tools", "supercategory": "none"}
    rows = [object_dict(), object_dict(12, category_id=0, keypoints=[])]
    dataset, _ = parse_coco(
        coco_dict(categories=[top, category_dict(supercategory="tools")], annotations=rows), "a.json"
    )
    assert [c.id for c in dataset.categories] == [0, 7]


def test_direct_exporter_of_coco_annotator_with_its_extra_fields() -> None:
    image = image_dict(252, path="/datasets/Plier keypoint/img252.jpg", dataset_id=6, annotated=True, events=[{}])
    category = category_dict(color="#fff", metadata={}, creator="me", keypoint_colors=["#fff", "#000"])
    row = object_dict(image_id=252, isbbox=True, color="#fff", metadata={}, milliseconds=3, width=64, height=48)
    dataset, report = parse_coco(coco_dict(images=[image], categories=[category], annotations=[row]), "a.json")
    assert report.findings == []
    assert dataset.images[0].source_path == "/datasets/Plier keypoint/img252.jpg"


@pytest.mark.parametrize(
    ("name", "images", "keypoints", "codes"),
    [
        ("coco_annotator_exports/plier_keypoint.json", 290, [5], {}),
        ("coco_annotator_exports/plier_train_data.json", 203, [5], {}),
        ("coco_annotator_exports/plier_validation_data.json", 87, [5], {}),
        ("coco_annotator_exports/BoardDetection.json", 187, [4], {}),
        ("coco_annotator_exports/BookDetection.json", 60, [4], {}),
        ("coco_annotator_exports/CardDetection.json", 230, [4], {}),
        ("openfield/annotations.json", 116, [4], {}),
        ("sheep/annotations/train.coco.json", 150, [18], {"category-super-dropped": 1}),
        ("sheep/annotations/val.coco.json", 50, [18], {"category-super-dropped": 1}),
    ],
)
def test_real_exports(shared_data: Path, name: str, images: int, keypoints: list[int], codes: dict[str, int]) -> None:
    dataset, report = read_coco(shared_data / name)
    assert (len(dataset.images), len(dataset.instances)) == (images, images)
    assert [len(c.keypoints) for c in dataset.categories] == keypoints
    assert report.counts() == codes
    assert parse_coco(json.loads(json.dumps(to_coco(dataset))), dataset.source)[0] == dataset
