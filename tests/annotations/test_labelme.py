from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exchange_factories import content, mice, workshop

from kpt_tools.annotations.formats.base import ReadOptions, WriteOptions
from kpt_tools.annotations.formats.labelme import parse, read, write
from kpt_tools.entities import Category, Dataset, Report
from kpt_tools.errors import ConfigError, DataError


def shape(
    label: str, points: list[list[Any]], group: int | None = 1, kind: str = "rectangle", **more: Any
) -> dict[str, Any]:
    """As LabelMe 5 writes a shape."""
    rows = {"label": label, "points": points, "group_id": group, "description": "", "shape_type": kind, "flags": {}}
    return {**rows, "mask": None, **more}


def point(label: str, x: float, y: float, group: int | None = 1, **more: Any) -> dict[str, Any]:
    return shape(label, [[x, y]], group, "point", **more)


BOX = [[10.0, 20.0], [40.0, 60.0]]


def file(*shapes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    head = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg", "imageData": None}
    return {**head, "imageHeight": 100, "imageWidth": 200, **changes}


def parsed(*shapes: dict[str, Any], **options: Any) -> tuple[Dataset, Report]:
    return parse({"a.json": file(*shapes)}, "folder", ReadOptions(**options))


def test_genuine_file() -> None:
    hidden = point("tail", 30, 50, flags={"occluded": True})
    dataset, report = parsed(shape("cat", [BOX[1], BOX[0]]), point("nose", 12.5, 25), hidden)
    assert [(row.file_name, row.width, row.height) for row in dataset.images] == [("a.jpg", 200, 100)]
    assert dataset.categories == (Category(1, "cat", ("nose", "tail")),)
    (cat,) = dataset.instances
    assert cat.box_xywh_px == (10.0, 20.0, 30.0, 40.0), "corners in any order"
    assert cat.keypoints_xyv == ((12.5, 25.0, 2), (30.0, 50.0, 1))
    assert report.counts() == {"keypoint-order-assumed": 1}


def test_difficult_points_of_x_anylabeling_are_hidden() -> None:
    dataset, _ = parsed(shape("cat", BOX), point("nose", 12, 25, difficult=True))
    assert dataset.instances[0].keypoints_xyv == ((12.0, 25.0, 1),)


def test_groups_and_shapes_without_one() -> None:
    rows = (shape("cat", BOX, 1), shape("cat", BOX, 2), shape("dog", BOX, None), point("nose", 1, 2, 2))
    dataset, report = parsed(*rows)
    assert [row.num_labelled for row in dataset.instances] == [0, 1, 0]
    assert [row.name for row in dataset.categories] == ["cat", "dog"]
    _, report = parsed(*rows, point("tail", 1, 2, None))
    assert report.counts()["point-without-object"] == 1


def test_polygon_and_box_of_one_group_are_one_object() -> None:
    corners = [[12.0, 22.0], [38.0, 22.0], [20.0, 58.0]]
    dataset, _ = parsed(shape("cat", corners, 1, "polygon"), shape("cat", BOX, 1))
    (cat,) = dataset.instances
    assert cat.box_xywh_px == (10.0, 20.0, 30.0, 40.0), "a drawn box goes before the extent"
    assert cat.segmentation == ((12.0, 22.0, 38.0, 22.0, 20.0, 58.0),)
    dataset, _ = parsed(shape("cat", corners, 1, "polygon"))
    assert dataset.instances[0].box_xywh_px == (12.0, 22.0, 26.0, 36.0)


def test_groups_of_points_without_a_box() -> None:
    cat = Category(4, "cat", ("nose", "tail"))
    dog = Category(5, "dog", ("nose", "paw"))
    points = (point("nose", 1, 2, 1), point("tail", 3, 4, 1), point("nose", 1, 2, 2), point("paw", 5, 6, 2))
    dataset, report = parsed(*points, classes=(cat, dog))
    assert [row.category_id for row in dataset.instances] == [4, 5], "only one class has those points"
    assert report.counts() == {"class-assumed": 2}
    dataset, report = parsed(point("nose", 1, 2, 1), classes=(cat, dog))
    assert dataset.instances == ()
    assert report.counts() == {"class-unknown": 1}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (shape("cat", BOX, kind="circle"), "shape-unsupported"),
        (shape("cat", [[1, 2], [1, 9]]), "label-invalid"),
        (shape("cat", [["a", 2], [1, 9]]), "label-invalid"),
        (shape("", BOX), "label-invalid"),
        ({"points": BOX}, "label-invalid"),
        (point("wing", 1, 2, 1), "point-name-unknown"),
        (point("nose", 1, 2, 1), "point-duplicate"),
    ],
    ids=["circle", "flat", "text", "no label", "no label key", "unknown point", "second nose"],
)
def test_bad_shapes_are_told(row: dict[str, Any], code: str) -> None:
    cat = Category(4, "cat", ("nose", "tail"))
    dataset, report = parsed(shape("cat", BOX), point("nose", 12, 25), row, classes=(cat,))
    assert len(dataset.instances) == 1
    assert dataset.instances[0].keypoints_xyv[0] == (12.0, 25.0, 2)
    assert report.counts() == {code: 1}


def test_names_follow_the_folder_of_the_file() -> None:
    raw = {"sub/a.json": file(), "b.json": file(imagePath="..\\images\\b.png"), "c.json": file(imagePath="./c.jpg")}
    dataset, _ = parse(raw, "folder", ReadOptions())
    assert [row.file_name for row in dataset.images] == ["sub/a.jpg", "b.png", "c.jpg"]


def test_other_json_and_notes_are_told() -> None:
    raw = {"a.json": file(shape("cat", BOX, description="fat")), "b.json": {"images": []}, "c.json": file()}
    dataset, report = parse(raw, "folder", ReadOptions())
    assert len(dataset.images) == 1
    assert report.counts() == {"label-invalid": 1, "image-name-duplicate": 1, "attribute-lost": 1}


def test_reading_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no JSON file"):
        read(tmp_path, ReadOptions())
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(DataError, match="no LabelMe file among 1 JSON files"):
        read(tmp_path, ReadOptions())
    (tmp_path / "a.json").write_text(json.dumps(file(shape("cat", BOX))))
    dataset, _ = read(tmp_path / "a.json", ReadOptions())
    assert len(dataset.instances) == 1


def test_written_files_are_labelmes() -> None:
    written = write(workshop(), WriteOptions())
    assert list(written.files) == ["img1.json", "sub/b.json", "c.json"]
    first = json.loads(str(written.files["img1.json"]))
    assert (first["imagePath"], first["imageHeight"], first["imageWidth"]) == ("img1.jpg", 48, 64)
    assert {row["group_id"] for row in first["shapes"]} == {1, 2, 3}
    assert [row["shape_type"] for row in first["shapes"]].count("rectangle") == 3
    assert set(first["shapes"][0]) == {"label", "points", "group_id", "description", "shape_type", "flags", "mask"}
    raw = {name: json.loads(str(text)) for name, text in written.files.items()}
    assert content(parse(raw, "folder", ReadOptions())[0]) == content(workshop())


def test_two_images_with_one_json_are_refused() -> None:
    a, b = mice().images[:2]
    images = (type(a)(1, "a.jpg", 1, 1), type(b)(2, "a.png", 1, 1))
    with pytest.raises(DataError, match=r"a.png: another image would have the file a.json"):
        write(Dataset(images, mice().categories, (), ""), WriteOptions())
