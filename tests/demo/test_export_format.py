import json
from pathlib import Path
from typing import Any

import pytest

from kpt_tools.demo.export_format import AnnotatedImage, to_export
from kpt_tools.demo.scene import SceneObject

GENUINE = Path(__file__).parents[3] / "shared" / "data" / "coco_annotator_exports"

# Keys, their order and types of a real task export whose annotator had no account name.
IMAGE = {
    "id": int,
    "dataset_id": int,
    "category_ids": list,
    "path": str,
    "width": int,
    "height": int,
    "file_name": str,
    "annotated": bool,
    "annotating": list,
    "num_annotations": int,
    "metadata": dict,
    "deleted": bool,
    "milliseconds": int,
    "events": list,
    "regenerate_thumbnail": bool,
}
CATEGORY = {
    "id": int,
    "name": str,
    "supercategory": str,
    "color": str,
    "metadata": dict,
    "keypoint_colors": list,
    "keypoints": list,
    "skeleton": list,
}
ANNOTATION = {
    "id": int,
    "image_id": int,
    "category_id": int,
    "segmentation": list,
    "area": int,
    "bbox": list,
    "iscrowd": bool,
    "isbbox": bool,
    "color": str,
    "keypoints": list,
    "metadata": dict,
    "num_keypoints": int,
}


def found(**changes: Any) -> SceneObject:
    values = {
        "box_xyxy_px": (10.04, 20.0, 60.55, 90.46),
        "keypoints_xyv": ((12, 80, 2), (50, 85, 1), (30, 50, 2), (35, 22, 2), (0, 0, 0)),
    }
    return SceneObject(**{**values, **changes})


def export() -> dict[str, Any]:
    images = [
        AnnotatedImage("a.jpg", 320, 240, (found(), found()), ("#112233", "#445566")),
        AnnotatedImage("b.jpg", 320, 240, (), ()),
        AnnotatedImage("c.jpg", 320, 240, (found(),), ("#778899",)),
    ]
    return to_export(images)


def types_of(row: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in row.items()}


def genuine(name: str) -> dict[str, Any]:
    path = GENUINE / name
    if not path.is_file():
        pytest.skip(f"{name}: the real export is not beside this checkout")
    return json.loads(path.read_text(encoding="utf-8"))


def test_keys_order_and_types() -> None:
    root = export()
    assert list(root) == ["images", "categories", "annotations"]
    assert (len(root["images"]), len(root["categories"]), len(root["annotations"])) == (3, 1, 3)
    for rows, expected in (("images", IMAGE), ("categories", CATEGORY), ("annotations", ANNOTATION)):
        for row in root[rows]:
            assert types_of(row) == expected
            assert list(row) == list(expected)


@pytest.mark.parametrize(
    ("rows", "expected"), [("images", IMAGE), ("categories", CATEGORY), ("annotations", ANNOTATION)]
)
def test_the_list_above_is_that_of_a_genuine_export(rows: str, expected: dict[str, type]) -> None:
    for row in genuine("BoardDetection.json")[rows]:
        assert types_of(row) == expected
        assert list(row) == list(expected)


def test_a_genuine_export_of_pliers_adds_only_what_accounts_and_sessions_leave() -> None:
    real = genuine("plier_keypoint.json")
    added = {"dataset_id", "creator", "width", "height", "milliseconds", "events"}
    assert set(real["annotations"][0]) - set(ANNOTATION) == added
    assert set(ANNOTATION) <= set(real["annotations"][0])
    assert set(real["categories"][0]) - set(CATEGORY) == {"creator"}


def test_the_rounding_is_that_of_genuine_exports() -> None:
    rows = genuine("plier_keypoint.json")["annotations"]
    assert len(rows) == 290
    for row in rows:
        corners = row["segmentation"][0]
        box = (min(corners[0::2]), min(corners[1::2]), max(corners[0::2]), max(corners[1::2]))
        image = AnnotatedImage("a.jpg", 1920, 1080, (found(box_xyxy_px=box),), (row["color"],))
        ours = to_export([image])["annotations"][0]
        assert (ours["bbox"], ours["area"]) == (row["bbox"], row["area"])
        ours_sorted, real_sorted = (
            sorted(ours["segmentation"][0]),
            sorted(corners),
        )
        assert ours_sorted == real_sorted
        assert [type(v) for v in ours_sorted] == [type(v) for v in real_sorted]


def test_ids_are_those_of_a_used_database() -> None:
    root = export()
    assert [image["id"] for image in root["images"]] == [252, 253, 254]
    assert [row["id"] for row in root["annotations"]] == [109, 110, 111]
    assert [row["image_id"] for row in root["annotations"]] == [252, 252, 254]
    assert {row["category_id"] for row in root["annotations"]} == {root["categories"][0]["id"]} == {15}


def test_category() -> None:
    category = export()["categories"][0]
    assert category["name"] == "pliers"
    assert category["keypoints"] == ["right_handle", "left_handle", "middle", "right_head", "left_head"]
    assert category["skeleton"] == [[1, 3], [2, 3], [3, 4], [3, 5]]
    assert len(category["keypoint_colors"]) == 5


def test_images_tell_how_many_objects_they_have() -> None:
    first, empty, _ = export()["images"]
    assert (first["num_annotations"], first["annotated"], first["category_ids"]) == (2, True, [15])
    assert (empty["num_annotations"], empty["annotated"], empty["category_ids"]) == (0, False, [])
    assert first["path"] == "/datasets/pliers-demo/a.jpg"


def test_box_area_and_keypoints() -> None:
    row = export()["annotations"][0]
    assert row["segmentation"] == [[60.5, 20, 60.5, 90.5, 10, 90.5, 10, 20]]
    assert row["bbox"] == [10, 20, 51, 71]
    assert row["area"] == 3621
    assert row["keypoints"] == [12, 80, 2, 50, 85, 1, 30, 50, 2, 35, 22, 2, 0, 0, 0]
    assert row["num_keypoints"] == 4
    assert (row["iscrowd"], row["isbbox"], row["color"]) == (False, True, "#112233")
