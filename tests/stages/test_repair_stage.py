from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_factories import category_dict, coco_dict, image_dict, many_dict, object_dict, write_project

from kpt_tools.annotations.codes import CODES
from kpt_tools.annotations.repairs.registry import REPAIRS, SAFE_CODES, chosen_codes
from kpt_tools.config.repair import RepairConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.repair import RepairResult, repair_file


def run(folder: Path, raw: Any, codes: str | None = None, **changes: Any) -> tuple[RepairResult, dict[str, Any]]:
    path = folder / "a.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    result = repair_file(RepairConfig(path, codes=codes, **changes))
    return result, json.loads(result.out.read_text(encoding="utf-8"))


def only(raw: dict[str, Any]) -> dict[str, Any]:
    (row,) = raw["annotations"]
    return dict(row)


# name: (codes, object as it is, what becomes of it)
OBJECTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "padded": ("keypoints-short", {"keypoints": [12, 10, 2, 5, 5]}, {"keypoints": [12, 10, 2, 0, 0, 0]}),
    "cut": ("keypoints-long", {"keypoints": [12, 10, 2, 30, 20, 1, 9, 9, 2]}, {"keypoints": [12, 10, 2, 30, 20, 1]}),
    "v is 9": ("keypoint-visibility-invalid", {"keypoints": [12, 10, 9, 30, 20, 1], "num_keypoints": 1},
               {"keypoints": [0, 0, 0, 30, 20, 1], "num_keypoints": 1}),
    "outside": ("keypoint-outside", {"keypoints": [99, 10, 2, 30, 20, 1]},
                {"keypoints": [0, 0, 0, 30, 20, 1], "num_keypoints": 1}),
    "wrong count stays": ("keypoint-outside", {"keypoints": [99, 10, 2, 30, 20, 1], "num_keypoints": 7},
                          {"keypoints": [0, 0, 0, 30, 20, 1], "num_keypoints": 7}),
    "count": ("num-keypoints-differs", {"num_keypoints": 7}, {"num_keypoints": 2}),
    "negative box": ("box-invalid", {"bbox": [40, 28, -30, -20]}, {"bbox": [10, 8, 30, 20]}),
    "box of the polygon": ("box-invalid", {"bbox": "x"}, {"bbox": [10, 8, 30, 20]}),
    "no box, polygon": ("box-missing", {"bbox": []}, {"bbox": [10, 8, 30, 20]}),
    "no box, points": ("box-missing", {"bbox": [], "segmentation": []}, {"bbox": [9.3, 7.3, 23.4, 15.4]}),
    "clipped": ("box-clipped", {"bbox": [40, 8, 30, 20]}, {"bbox": [40, 8, 24, 20]}),
    "rounding": ("box-rounding", {"bbox": [40, 8, 24.5, 20]}, {"bbox": [40, 8, 24, 20]}),
    "area": ("area-missing", {"area": 0}, {"area": 600}),
    "bad area": ("area-invalid", {"area": "big"}, {"area": 600}),
    "crowd": ("iscrowd-invalid", {"iscrowd": "no"}, {"iscrowd": 0}),
    "polygons": ("segmentation-invalid", {"segmentation": [[1, 1], [1, 1, 9, 1, 9, 9]]},
                 {"segmentation": [[1, 1, 9, 1, 9, 9]]}),
    "flat polygon": ("segmentation-invalid", {"segmentation": [1, 1, 9, 1, 9, 9]}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("codes", "before", "after"), OBJECTS.values(), ids=OBJECTS)
def test_objects(tmp_path: Path, codes: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    spoilt = object_dict(**before, extra={"kept": "ä"})
    result, raw = run(tmp_path, coco_dict(annotations=[spoilt], info={"year": 2024}), codes)
    assert only(raw) == {**spoilt, **after}
    assert raw["info"] == {"year": 2024}
    assert len(result.changes) == (1 if after else 0)


def test_objects_without_anything_to_make_a_box_of_are_removed(tmp_path: Path) -> None:
    rows = [object_dict(bbox=[], segmentation=[], keypoints=[], num_keypoints=0), object_dict(12)]
    result, raw = run(tmp_path, coco_dict(annotations=rows), "box-missing")
    assert [row["id"] for row in raw["annotations"]] == [12]
    assert (result.changes[0].where, result.changes[0].image) == ("annotation 11", "img1.jpg")


def test_ids_are_given_anew_and_equal_entries_removed(tmp_path: Path) -> None:
    rows = [object_dict(5), object_dict(5), object_dict(5, bbox=[1, 1, 9, 9]), object_dict(None)]
    result, raw = run(tmp_path, coco_dict(annotations=rows), "annotation-id-duplicate,annotation-id-invalid")
    assert [row["id"] for row in raw["annotations"]] == [5, 7, 6]
    assert len(result.changes) == 3


def test_box_and_points_become_one(tmp_path: Path) -> None:
    box = object_dict(1, keypoints=[], num_keypoints=0)
    points = object_dict(2, bbox=[0, 0, 0, 0], segmentation=[], area=0)
    _, raw = run(tmp_path, coco_dict(annotations=[box, points]), "box-keypoints-apart")
    assert only(raw) == {**box, "keypoints": points["keypoints"], "num_keypoints": 2}


def test_classes_of_one_name_become_one(tmp_path: Path) -> None:
    raw = coco_dict(
        categories=[category_dict(7), category_dict(8)], annotations=[object_dict(1), object_dict(2, category_id=8)]
    )
    _, new = run(tmp_path, raw, "category-merged")
    assert [row["id"] for row in new["categories"]] == [7]
    assert [row["category_id"] for row in new["annotations"]] == [7, 7]


@pytest.mark.parametrize(
    ("skeleton", "expected"),
    [([[0, 1]], [[1, 2]]), ([[1, 2], [2, 3]], [[1, 2]]), (5, []), ([[0, 1], [1, 2]], [[1, 2]]), ([[1, 2]], [[1, 2]])],
    ids=["from 0", "too far", "a number", "mixed", "sound"],
)
def test_skeletons(tmp_path: Path, skeleton: Any, expected: Any) -> None:
    _, raw = run(tmp_path, coco_dict(categories=[category_dict(skeleton=skeleton)]), "skeleton-invalid")
    assert raw["categories"][0]["skeleton"] == expected


def test_repairs_that_look_at_images(tmp_path: Path) -> None:
    raw = many_dict(3)
    annotations, images = write_project(tmp_path, raw)
    raw["images"][0].update(width=None, height=None)
    annotations.write_text(json.dumps(raw), encoding="utf-8")
    (images / "img3.jpg").unlink()
    result = repair_file(RepairConfig(annotations, images, codes="image-missing,image-size-missing"))
    new = json.loads(result.out.read_text(encoding="utf-8"))
    assert [(row["id"], row["width"], row["height"]) for row in new["images"]] == [(1, 64, 48), (2, 64, 48)]
    assert [row["image_id"] for row in new["annotations"]] == [1, 2]
    assert result.out == tmp_path / "annotations_repaired.json"


def test_log_holds_every_change(tmp_path: Path) -> None:
    result, _ = run(tmp_path, coco_dict(annotations=[object_dict(area=0, num_keypoints=9)]), safe=True)
    log = json.loads(result.log.read_text(encoding="utf-8"))
    assert result.log.name == "a_repaired.changes.json"
    assert log["codes"] == list(result.codes)
    assert log["changes"] == [
        {"code": "num-keypoints-differs", "where": "annotation 11", "change": "num_keypoints 9 -> 2",
         "image": "img1.jpg", "annotation_id": 11},
        {"code": "area-missing", "where": "annotation 11", "change": "area 0 -> 600.0",
         "image": "img1.jpg", "annotation_id": 11},
    ]  # fmt: skip


def test_a_sound_file_stays_as_it_is(tmp_path: Path) -> None:
    raw = many_dict(4, licenses=[])
    result, new = run(
        tmp_path, raw, ",".join(code for code in REPAIRS if not code.startswith(("image-missing", "image-size")))
    )
    assert (result.changes, new) == ((), raw)


def test_repairs_and_codes_agree() -> None:
    assert set(REPAIRS) == {code for code, entry in CODES.items() if entry.repair}
    assert set(SAFE_CODES) == {code for code, entry in CODES.items() if entry.repair == "safe"}


@pytest.mark.parametrize(
    ("codes", "changes", "message"),
    [
        (None, {}, "nothing chosen to repair"),
        ("box-misssing", {}, "unknown code 'box-misssing'; did you mean 'box-missing'"),
        ("image-truncated", {}, "'image-truncated' cannot be repaired by rule. Copy it again"),
        ("image-missing", {}, "needs the images"),
        ("box-missing", {"out": "a.json"}, "which is never changed"),
        ("box-missing", {"log": "a.json"}, "which is never changed"),
        ("box-missing", {"out": "b.json", "log": "b.json"}, "is both --out and --log"),
    ],
)
def test_what_is_refused(tmp_path: Path, codes: str | None, changes: dict[str, str], message: str) -> None:
    before = json.dumps(coco_dict())
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, coco_dict(), codes, **{key: tmp_path / name for key, name in changes.items()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == before


def test_what_json_cannot_hold_is_one_clear_error(tmp_path: Path) -> None:
    raw = coco_dict(annotations=[object_dict(bbox=[1, float("nan"), 3, 4])])
    with pytest.raises(DataError, match="NaN or infinite"):
        run(tmp_path, raw, "area-missing")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert only(run(tmp_path, raw, "box-invalid")[1])["bbox"] == [10, 8, 30, 20]


def test_orders_of_codes_do_not_matter() -> None:
    assert chosen_codes("box-missing,area-missing", safe=False, with_images=False) == ("box-missing", "area-missing")
    assert chosen_codes("area-missing, box-missing", safe=False, with_images=False) == ("box-missing", "area-missing")
    assert "image-size-missing" not in chosen_codes(None, safe=True, with_images=False)
    assert "image-size-missing" in chosen_codes(None, safe=True, with_images=True)


def test_image_names_that_climb(tmp_path: Path) -> None:
    _, raw = run(tmp_path, coco_dict(images=[image_dict(file_name="..\\x\\a.jpg")]), "image-path-outside")
    assert raw["images"][0]["file_name"] == "a.jpg"
