"""`infer --to-coco-annotator`: what it writes survives coco-annotator's importer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotator_server import Annotator
from PIL import Image

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Dataset
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.infer import InferResult, infer


def picture(left: int, top: int) -> Image.Image:
    """160 x 120, grey, with a red patch of 50 x 20: what the engine of these tests finds."""
    pixels = np.full((120, 160, 3), 128, np.uint8)
    pixels[top : top + 20, left : left + 50] = (255, 0, 0)
    return Image.fromarray(pixels)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A plain picture, one turned by EXIF, and one without a patch in a sub-folder."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    picture(40, 30).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(20, 60).transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    Image.new("RGB", (32, 24)).save(folder / "sub" / "empty.png")
    return folder


def run(images: Path, engine: Engine, **settings: Any) -> InferResult:
    out = images.parent / "out"
    config = InferConfig(inputs=(str(images),), out=out, no_images=True, to_coco_annotator=True, **settings)
    return infer(config, engine=engine)


def written(result: InferResult) -> dict[str, Any]:
    assert result.pre_annotations == result.out / "pre_annotations.json"
    found: dict[str, Any] = json.loads(result.pre_annotations.read_text(encoding="utf-8"))
    return found


def imported(content: dict[str, Any], images: Path) -> tuple[Dataset, list[str]]:
    """What is in coco-annotator after the import; it has the same pictures, and its own spelling of the class."""
    server = Annotator()
    dataset_id = server.add_dataset("patches", (server.add_category("Patch", ("left", "right")),))
    for path in sorted(images.rglob("*.png")):
        server.add_image(dataset_id, path.relative_to(images).as_posix(), path.read_bytes())
    task: dict[str, Any] = {"logs": [], "warnings": 0, "errors": 0}
    server.take_in(task, dataset_id, content)
    return parse_coco(server.export(dataset_id), "export.json")[0], [
        line for line in task["logs"] if "bolt" not in line
    ]


def test_boxes_areas_and_points_survive_the_import(images: Path, engine: Engine) -> None:
    result = run(images, engine)
    dataset, logs = imported(written(result), images)
    assert logs == []
    assert result.findings == ()
    names = {row.id: row.file_name for row in dataset.images}
    found = {names[row.image_id]: row for row in dataset.instances}
    assert set(found) == {"a.png", "turned.png"}
    plain = found["a.png"]
    assert plain.box_xywh_px == (40.0, 30.0, 50.0, 20.0)
    assert plain.area_px == 1000
    assert plain.keypoints_xyv == ((40.0, 30.0, 2), (90.0, 30.0, 2))


def test_turned_pictures_get_coordinates_of_their_stored_pixels(images: Path, engine: Engine) -> None:
    content = written(run(images, engine))
    (row,) = [row for row in content["images"] if row["file_name"] == "turned.png"]
    assert (row["width"], row["height"]) == (120, 160)
    (found,) = [entry for entry in content["annotations"] if entry["image_id"] == row["id"]]
    x, y, w, h = found["bbox"]
    with Image.open(images / "turned.png") as stored:
        pixels = np.asarray(stored.convert("RGB"))
    inside = pixels[round(y) : round(y + h), round(x) : round(x + w)]
    assert inside.shape[:2] == (50, 20)
    assert (inside == (255, 0, 0)).all(), "the box lies on the patch as coco-annotator shows the picture"


def test_thresholds(images: Path, engine: Engine) -> None:
    content = written(run(images, engine, min_keypoint_score=0.75, confident_keypoint_score=0.9))
    assert [row["keypoints"][2::3] for row in content["annotations"]] == [[1, 0], [1, 0]], "scores are 0.8 and 0.7"
    assert [row["keypoints"][3:] for row in content["annotations"]] == [[0.0, 0.0, 0]] * 2
    assert [row["num_keypoints"] for row in content["annotations"]] == [1, 1]


def name_map(folder: Path, content: object) -> Path:
    path = folder / "names.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_name_map(images: Path, engine: Engine) -> None:
    tables = {
        "images": {"a.png": "0001.png", "sub/empty.png": "0002.png", "gone.png": "x.png"},
        "categories": {"patch": "PATCH"},
    }
    result = run(images, engine, name_map=name_map(images.parent, tables))
    content = written(result)
    assert sorted(row["file_name"] for row in content["images"]) == ["0001.png", "0002.png", "turned.png"]
    assert [row["name"] for row in content["categories"]] == ["PATCH", "bolt"]
    assert [row.code for row in result.findings] == ["name-map-unused"]
    assert "'gone.png'" in result.findings[0].message


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{", DataError, "not valid JSON"),
        ("[]", DataError, "not a name map"),
        ({}, DataError, "not a name map"),
        ({"images": {"a.png": 3}}, DataError, "not a name map"),
        ({"images": ["a.png"]}, DataError, "not a name map"),
        ({"image": {"a.png": "b.png"}}, DataError, "unknown key 'image'; did you mean 'images'"),
        ({"categories": {"pacth": "x"}}, ConfigError, "the model has no class 'pacth'; did you mean 'patch'"),
    ],
    ids=["truncated", "list", "empty", "number", "no table", "key", "class"],
)
def test_bad_name_maps(images: Path, engine: Engine, content: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(images, engine, name_map=name_map(images.parent, content))
    assert not (images.parent / "out").exists(), "found before anything is written"


def test_a_name_map_needs_its_purpose() -> None:
    with pytest.raises(ConfigError, match="--name-map is for --to-coco-annotator"):
        InferConfig(name_map=Path("x.json"))


def test_two_images_with_one_name_are_left_out_of_the_import(images: Path, engine: Engine) -> None:
    picture(10, 10).save(images / "sub" / "a.png")
    result = run(images, engine)
    content = written(result)
    assert [row["file_name"] for row in content["images"]] == ["empty.png", "turned.png"]
    assert len(content["annotations"]) == 1
    assert [row.code for row in result.lost] == ["pre-annotation-name-shared"] * 2
    again = run(images, engine, name_map=name_map(images.parent, {"images": {"sub/a.png": "b.png"}}))
    assert len(written(again)["annotations"]) == 3
    assert again.lost == ()


def annotations(folder: Path, keypoints: list[str]) -> Path:
    raw = {
        "images": [{"id": 252, "file_name": "a.png", "width": 160, "height": 120}],
        "categories": [
            {"id": 15, "name": "patch", "supercategory": "", "keypoints": keypoints, "skeleton": [[1, 2]]},
            {"id": 16, "name": "bolt", "supercategory": ""},
        ],
        "annotations": [],
    }
    path = folder / "truth.json"
    path.write_text(json.dumps(raw))
    return path


def test_ids_and_keypoint_order_of_annotations(images: Path, engine: Engine) -> None:
    path = annotations(images.parent, ["right", "middle", "left"])
    result = run(images, engine, annotations=path)
    content = written(result)
    assert [(row["id"], row["file_name"]) for row in content["images"]] == [(252, "a.png")]
    (found,) = content["annotations"]
    assert (found["image_id"], found["category_id"]) == (252, 15)
    assert found["keypoints"] == [90.0, 30.0, 2, 0.0, 0.0, 0, 40.0, 30.0, 2]
    assert content["categories"][0]["skeleton"] == [[1, 2]]
    assert [row.code for row in result.findings] == ["image-without-id"] * 2


def test_annotations_without_a_keypoint_of_the_model(images: Path, engine: Engine) -> None:
    with pytest.raises(ConfigError, match="class 'patch' has no keypoint 'right'"):
        run(images, engine, annotations=annotations(images.parent, ["left"]))


def test_not_written_unless_asked(images: Path, engine: Engine) -> None:
    result = infer(InferConfig(inputs=(str(images),), out=images.parent / "out", no_images=True), engine=engine)
    assert result.pre_annotations is None
    assert not (result.out / "pre_annotations.json").exists()
