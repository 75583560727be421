from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_factories import coco_dict

from kpt_tools.annotations.formats.registry import detect, format_of, kind_of_json
from kpt_tools.errors import ConfigError, DataError

LABELME = {"version": "5.4.1", "shapes": [], "imagePath": "a.jpg"}
STUDIO = [{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}]


def annotator() -> dict[str, Any]:
    raw = coco_dict()
    raw["annotations"][0]["isbbox"] = True
    return raw


def cvat() -> dict[str, Any]:
    return {**coco_dict(), "licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": ""}}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (coco_dict(), "coco"),
        (annotator(), "coco-annotator"),
        (cvat(), "cvat"),
        (LABELME, "labelme"),
        (STUDIO, "label-studio"),
        ([{"image_id": 1, "category_id": 1, "bbox": [], "score": 0.5}], ""),
        ([], ""),
        ({}, ""),
        (7, ""),
        ({"images": 1, "annotations": 2, "categories": 3}, "coco"),
    ],
    ids=["coco", "coco-annotator", "cvat", "labelme", "label-studio", "results", "list", "object", "number", "odd"],
)
def test_kind_of_json(raw: object, name: str) -> None:
    assert kind_of_json(raw) == name


def put(folder: Path, **files: object) -> Path:
    for name, value in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_single_files(tmp_path: Path) -> None:
    put(
        tmp_path,
        a_DOT_csv="scorer,x\n",
        b_DOT_csv="name,x\n",
        c_DOT_h5="",
        d_DOT_yaml="",
        e_DOT_txt="x",
        f_DOT_json="{",
    )
    assert detect(tmp_path / "a.csv")[0].name == "deeplabcut"
    assert detect(tmp_path / "c.h5")[0].name == "deeplabcut-h5"
    assert detect(tmp_path / "d.yaml")[0].name == "yolo-pose"
    for name in ("b.csv", "e.txt"):
        with pytest.raises(ConfigError, match=r"none of coco, .* as far as can be seen. Name the format with --from"):
            detect(tmp_path / name)
    with pytest.raises(DataError, match="not valid JSON"):
        detect(tmp_path / "f.json")


@pytest.mark.parametrize(
    ("files", "name", "place"),
    [
        ({"data_DOT_yaml": "x: 1"}, "yolo-pose", ""),
        ({"labeled-data__v__CollectedData_x_DOT_csv": "scorer"}, "deeplabcut", ""),
        ({"a_DOT_json": LABELME, "sub__b_DOT_json": LABELME}, "labelme", ""),
        (
            {"annotations__person_keypoints_default_DOT_json": cvat()},
            "cvat",
            "annotations/person_keypoints_default.json",
        ),
        ({"tasks_DOT_json": STUDIO, "label_config_DOT_xml": "<View/>"}, "label-studio", "tasks.json"),
        ({"a_DOT_json": coco_dict(), "package_DOT_json": {}}, "coco", "a.json"),
    ],
    ids=["yolo", "deeplabcut", "labelme", "cvat", "label-studio", "coco"],
)
def test_folders(tmp_path: Path, files: dict[str, object], name: str, place: str) -> None:
    found, path = detect(put(tmp_path, **files))
    assert (found.name, path) == (name, tmp_path / place)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a_DOT_json": coco_dict(), "b_DOT_json": annotator()},
            r"could be any of coco .*a.json.; coco-annotator .*b.json",
        ),
        ({"a_DOT_json": LABELME, "data_DOT_yaml": "x: 1"}, r"could be any of yolo-pose .*; labelme"),
        ({"a_DOT_txt": ""}, "none of coco, coco-annotator, yolo-pose"),
    ],
    ids=["two COCO", "two formats", "none"],
)
def test_never_a_guess(tmp_path: Path, files: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        detect(put(tmp_path, **files))


def test_absent_and_unknown() -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        detect(Path("nowhere"))
    with pytest.raises(ConfigError, match="no format 'yolo'; did you mean 'yolo-pose'"):
        format_of("yolo")
