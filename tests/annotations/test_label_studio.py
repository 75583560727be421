from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from exchange_factories import content, mice, mouse, workshop

from kpt_tools.annotations.formats.base import ReadOptions, WriteOptions
from kpt_tools.annotations.formats.label_studio import parse
from kpt_tools.annotations.formats.label_studio_write import write
from kpt_tools.entities import Category, Dataset, Report
from kpt_tools.errors import DataError


def region(kind: str, label: str, region_id: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As Label Studio exports a region of a 200 x 100 picture."""
    head = {"original_width": 200, "original_height": 100, "image_rotation": 0, "origin": "manual"}
    names = {"id": region_id, "from_name": "label", "to_name": "image", "type": kind}
    return {**head, "value": {**value, kind: [label]}, **names, **more}


def box(region_id: str = "Dx_aB91ISN", label: str = "cat", **value: Any) -> dict[str, Any]:
    place = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0, "rotation": 0}
    return region("rectanglelabels", label, region_id, {**place, **value})


def point(label: str, region_id: str, x: float = 12.5, y: float = 25.0, **more: Any) -> dict[str, Any]:
    return region("keypointlabels", label, region_id, {"x": x, "y": y, "width": 0.35}, **more)


def task(*results: dict[str, Any], image: str = "/data/upload/1/3fb2a7d1-cat%201.jpg", **more: Any) -> dict[str, Any]:
    annotation = {"id": 7, "completed_by": 1, "result": list(results), "was_cancelled": False, "ground_truth": False}
    rows = {"id": 3, "annotations": [annotation], "file_upload": "3fb2a7d1-cat 1.jpg", "drafts": [], "predictions": []}
    return {**rows, "data": {"image": image}, "meta": {}, "project": 1, **more}


def read(*tasks: dict[str, Any], **options: Any) -> tuple[Dataset, Report]:
    return parse(list(tasks), "export.json", ReadOptions(**options))


def test_genuine_task() -> None:
    rows = (box(), point("nose", "k1", parentID="Dx_aB91ISN"), point("tail", "k2", 50, 60, parentID="Dx_aB91ISN"))
    dataset, report = read(task(*rows))
    assert [(row.file_name, row.width, row.height) for row in dataset.images] == [("cat 1.jpg", 200, 100)]
    assert dataset.categories == (Category(1, "cat", ("nose", "tail")),)
    (cat,) = dataset.instances
    assert cat.box_xywh_px == (20.0, 20.0, 60.0, 40.0)
    assert cat.keypoints_xyv == ((25.0, 25.0, 2), (100.0, 60.0, 2))
    assert report.counts() == {"keypoint-order-assumed": 1}


def test_relations_link_as_parents_do() -> None:
    relation = {"type": "relation", "from_id": "k1", "to_id": "b2", "direction": "right"}
    dataset, _ = read(task(box("b1"), box("b2", x=50.0), point("nose", "k1"), relation))
    assert [row.num_labelled for row in dataset.instances] == [0, 1]


def test_points_without_a_link() -> None:
    dataset, report = read(task(box(), point("nose", "k1")))
    assert dataset.instances[0].num_labelled == 1
    assert report.counts()["points-assigned"] == 1
    dataset, report = read(task(box("b1"), box("b2"), point("nose", "k1")))
    assert [row.num_labelled for row in dataset.instances] == [0, 0]
    assert report.counts() == {"point-without-object": 1}
    assert "point 'nose' could belong to any of 2 objects" in report.findings[0].message


def test_points_without_boxes_make_one_object() -> None:
    dataset, report = read(task(point("nose", "k1"), point("tail", "k2")), category="cat")
    (cat,) = dataset.instances
    assert (cat.box_xywh_px, cat.num_labelled, dataset.categories[0].name) == (None, 2, "cat")
    assert "class-assumed" not in report.counts()
    dataset, report = read(task(point("nose", "k1")))
    assert dataset.categories[0].name == "object"
    assert report.counts()["class-assumed"] == 1


def test_polygons_and_rotated_boxes() -> None:
    corners = {"points": [[10, 10], [20, 10], [15, 30]], "closed": True}
    dataset, report = read(task(region("polygonlabels", "cat", "p1", corners), box(rotation=90)))
    outlined, turned = dataset.instances
    assert outlined.segmentation == ((20.0, 10.0, 40.0, 10.0, 30.0, 30.0),)
    assert outlined.box_xywh_px == (20.0, 10.0, 20.0, 20.0)
    assert turned.box_xywh_px == pytest.approx((-20.0, 20.0, 40.0, 60.0)), "turned clockwise about its upper left"
    assert report.counts()["box-rotated"] == 1


def test_which_annotation_counts() -> None:
    rows = [
        {"result": [box("a", "dog")], "was_cancelled": True},
        {"result": [box("b", "cat")], "was_cancelled": False},
        {"result": [box("c", "cow")], "ground_truth": True},
    ]
    dataset, report = read(task(annotations=rows))
    assert [row.name for row in dataset.categories] == ["cow"]
    assert report.counts() == {"annotation-chosen": 1}
    dataset, report = read(task(annotations=rows[:2]))
    assert [row.name for row in dataset.categories] == ["cat"]
    assert report.counts() == {}


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        (["/data/upload/1/3fb2a7d1-a.jpg"], ["a.jpg"]),
        (["/data/local-files/?d=set/sub/a%20b.jpg"], ["set/sub/a b.jpg"]),
        (["https://example.com/opensource/a.jpg?token=1"], ["a.jpg"]),
        (["s3://bucket/one/a.jpg", "s3://bucket/two/a.jpg"], ["one/a.jpg", "two/a.jpg"]),
        (["sub/a.jpg"], ["sub/a.jpg"]),
    ],
    ids=["upload", "local", "web", "one base name", "relative"],
)
def test_names_of_images(urls: list[str], names: list[str]) -> None:
    dataset, _ = read(*(task(image=url) for url in urls))
    assert [row.file_name for row in dataset.images] == names


@pytest.mark.parametrize(
    ("row", "code", "message"),
    [
        (box(width="x"), "label-invalid", "no numbers that make a box"),
        (box(width=0), "label-invalid", "no numbers that make a box"),
        ({**box(), "original_width": None}, "label-invalid", "no original_width"),
        ({**box(), "image_rotation": 90}, "label-invalid", "turned by 90 degrees in Label Studio"),
        ({**box(), "value": {"x": 1, "y": 1, "width": 3, "height": 4}}, "label-invalid", "no label"),
        (point("nose", "k", x="left"), "label-invalid", "no numbers as x and y"),  # type: ignore[arg-type]
        (region("brushlabels", "cat", "m", {"format": "rle"}), "shape-unsupported", "region 'm' .brushlabels."),
        (region("polygonlabels", "cat", "p", {"points": [[1, 2]]}), "label-invalid", "no three corners"),
    ],
    ids=["text", "flat", "no size", "turned", "no label", "point", "mask", "polygon"],
)
def test_bad_regions_are_told(row: dict[str, Any], code: str, message: str) -> None:
    dataset, report = read(task(row, box("good")))
    assert len(dataset.instances) == 1
    assert report.counts()[code] == 1
    assert re.search(message, report.findings[0].message)


def test_other_answers_and_tasks_without_image_are_told() -> None:
    choice = {"type": "choices", "value": {"choices": ["good"]}, "id": "c", "from_name": "quality", "to_name": "image"}
    dataset, report = read(task(box(), choice), {"id": 9, "data": {"text": "hello"}, "annotations": []})
    assert len(dataset.images) == 1
    assert report.counts()["attribute-lost"] == 1
    assert report.counts()["label-invalid"] == 1


@pytest.mark.parametrize("raw", [{}, [1], [{"image": "a.jpg", "kp-1": []}]], ids=["object", "numbers", "JSON-MIN"])
def test_what_is_no_export(raw: object) -> None:
    with pytest.raises(DataError, match=r"expected Label Studio's export of the kind 'JSON' .not 'JSON-MIN'."):
        parse(raw, "export.json", ReadOptions())


def test_written_configuration_and_urls() -> None:
    written = write(workshop(), WriteOptions(image_url="/data/local-files/?d=set/"))
    config = ElementTree.fromstring(str(written.files["label_config.xml"]))
    assert [row.get("value") for row in config.iter("Label")] == [
        "mouse", "bolt", "nut", "snout", "left_ear", "right_ear", "tail", "head", "tip",
    ]  # fmt: skip
    points = config.find("KeyPointLabels")
    assert points is not None
    assert [row.get("model_index") for row in points] == ["0", "1", "2", "3", "4", "5"]
    assert '"/data/local-files/?d=set/sub/b.png"' in str(written.files["tasks.json"])


def test_hidden_points_are_noted() -> None:
    text = str(write(mice(count=1), WriteOptions()).files["tasks.json"])
    assert text.count('"occluded"') == 1


def test_names_with_quotes_and_spaces_come_back() -> None:
    odd = Category(1, 'a "b" & <c>', ("left  ear",))
    images = (mice().images[0],)
    row = replace(mouse(), category_id=1, keypoints_xyv=((1.0, 2.0, 2),))
    dataset = Dataset(images, (odd,), (row,), "")
    written = write(dataset, WriteOptions())
    config = ElementTree.fromstring(str(written.files["label_config.xml"]))
    assert [label.get("value") for label in config.iter("Label")] == ['a "b" & <c>', "left  ear"]
    found, _ = parse(json.loads(str(written.files["tasks.json"])), "tasks.json", ReadOptions())
    assert content(found) == content(dataset)
