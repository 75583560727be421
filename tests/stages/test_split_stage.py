from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_factories import category_dict, image_dict, many_dict, object_dict

from kpt_tools.config.split import SplitConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.split import SplitResult, split


def run(folder: Path, raw: object, **changes: Any) -> SplitResult:
    path = folder / "all.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return split(SplitConfig(path, **changes))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_entries_are_kept_as_they_stand(tmp_path: Path) -> None:
    raw = many_dict(10, info={"year": 2024}, licenses=[])
    raw["images"][0]["milliseconds"] = 5
    raw["annotations"][0]["metadata"] = {"note": "ä"}
    result = run(tmp_path, raw)
    assert (result.train_counts, result.val_counts, result.lost) == ((8, 8), (2, 2), (0, 0))
    assert (result.train.name, result.val.name) == ("all_train.json", "all_val.json")
    train, val = read(result.train), read(result.val)
    for key in ("images", "annotations"):
        assert sorted(train[key] + val[key], key=lambda row: row["id"]) == raw[key]
    assert train["info"] == val["info"] == {"year": 2024}
    assert train["categories"] == val["categories"] == raw["categories"]
    for side in (train, val):
        assert {row["image_id"] for row in side["annotations"]} == {row["id"] for row in side["images"]}


def test_unusable_entries_are_on_neither_side_and_told(tmp_path: Path) -> None:
    raw = many_dict(5)
    raw["images"] += [image_dict(1, file_name="twin.jpg"), image_dict(9, file_name="")]
    raw["annotations"] += [object_dict(101, image_id=2), object_dict(500, image_id=77)]
    result = run(tmp_path, raw)
    assert result.lost == (2, 2)
    assert result.report.counts() == {
        "image-id-duplicate": 1, "image-file-name-missing": 1, "annotation-id-duplicate": 1,
        "annotation-image-unknown": 1,
    }  # fmt: skip
    assert "twin.jpg" not in result.train.read_text() + result.val.read_text()


def test_other_folder(tmp_path: Path) -> None:
    result = run(tmp_path, many_dict(4), out=tmp_path / "new")
    assert result.train.parent == tmp_path / "new"
    assert result.val.is_file()


def test_groups(tmp_path: Path) -> None:
    raw = many_dict(6)
    for number, row in enumerate(raw["images"]):
        row["file_name"] = f"cam{number % 2}_{number}.jpg"
    result = run(tmp_path, raw, val=0.5, group_by="^(cam.)")
    assert {row["file_name"][:4] for row in read(result.val)["images"]} in ({"cam0"}, {"cam1"})


@pytest.mark.parametrize(
    ("raw", "changes", "error", "message"),
    [
        ([], {}, DataError, "found a list at the top"),
        (many_dict(0), {}, DataError, "no usable image among 0"),
        (many_dict(1), {}, ConfigError, "one image to split"),
        (many_dict(4), {"group_by": "img"}, ConfigError, "into one group"),
    ],
    ids=["list", "none", "one", "one group"],
)
def test_what_cannot_be_split(
    tmp_path: Path, raw: object, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(tmp_path, raw, **changes)
    assert [path.name for path in tmp_path.iterdir()] == ["all.json"]


def test_categories_are_untouched_even_if_odd(tmp_path: Path) -> None:
    raw = many_dict(4, categories=[{"id": 0, "name": "t", "supercategory": "none"}, category_dict(supercategory="t")])
    assert read(run(tmp_path, raw).train)["categories"] == raw["categories"]


def test_three_files_with_their_classes(tmp_path: Path) -> None:
    result = run(tmp_path, many_dict(10), val=2, test=0.3)
    assert (result.train_counts, result.val_counts, result.test_counts) == ((5, 5), (2, 2), (3, 3))
    assert result.test is not None
    assert result.test.name == "all_test.json"
    assert result.classes == {"train": {"plier": 5}, "val": {"plier": 2}, "test": {"plier": 3}}
    ids = [{row["id"] for row in read(path)["images"]} for path in (result.train, result.val, result.test)]
    assert sorted(set.union(*ids)) == list(range(1, 11))


def test_the_test_file_of_an_earlier_split_is_not_left_behind(tmp_path: Path) -> None:
    raw = many_dict(10)
    first = run(tmp_path, raw, test=2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=r"all_test.json: is of an earlier split, and 2 of its images would be in"):
        run(tmp_path, raw)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert run(tmp_path, raw, test=2).test == first.test


@pytest.mark.parametrize("content", ["no JSON", "[]", json.dumps(many_dict(0))], ids=["text", "list", "no images"])
def test_a_file_of_that_name_that_shares_no_image(tmp_path: Path, content: str) -> None:
    (tmp_path / "all_test.json").write_text(content, encoding="utf-8")
    run(tmp_path, many_dict(10))
    assert (tmp_path / "all_test.json").read_text(encoding="utf-8") == content


def test_in_file_order(tmp_path: Path) -> None:
    result = run(tmp_path, many_dict(5), val=1, test=1, in_file_order=True)
    assert [row["id"] for row in read(result.train)["images"]] == [1, 2, 3]
    assert [row["id"] for row in read(result.val)["images"]] == [4]


def test_stratified(tmp_path: Path) -> None:
    raw = many_dict(10)
    raw["categories"].append(category_dict(8, name="rare"))
    for row in raw["annotations"][:5]:
        row["category_id"] = 8
    result = run(tmp_path, raw, val=0.4, stratify=True)
    assert result.classes == {"train": {"plier": 3, "rare": 3}, "val": {"plier": 2, "rare": 2}}


def test_orders_that_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="goes by the file alone"):
        SplitConfig(in_file_order=True, stratify=True)
