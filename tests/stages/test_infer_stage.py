from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.infer import infer
from kpt_tools.stages.infer_pictures import picture_name


def patch_picture(left: int = 40, top: int = 30, colour: tuple[int, int, int] = (255, 0, 0)) -> Image.Image:
    """160 x 120, grey, with a patch of 50 x 20."""
    pixels = np.full((120, 160, 3), 128, np.uint8)
    pixels[top : top + 20, left : left + 50] = colour
    return Image.fromarray(pixels)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four good images (one turned by EXIF, one CMYK, one in a sub-folder, one without a patch) and two bad ones."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: to be turned clockwise
    patch_picture().transpose(Image.Transpose.ROTATE_90).save(folder / "img2.jpg", exif=exif, quality=97)
    patch_picture().convert("CMYK").save(folder / "img10.jpg", quality=97)
    patch_picture(60, 80).save(folder / "sub" / "a.png")
    patch_picture(colour=(0, 0, 255)).save(folder / "blue.png")
    (folder / "broken.jpg").write_bytes((folder / "img2.jpg").read_bytes()[:700])
    (folder / "page.jpg").write_bytes(b"<!DOCTYPE html><html>not found</html>")
    return folder


def config(images: Path, out: Path, **settings: Any) -> InferConfig:
    return InferConfig(inputs=(str(images),), out=out, **settings)


def rows(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "predictions.json").read_text(encoding="utf-8"))


def test_whole_folder(images: Path, tmp_path: Path, engine: Engine) -> None:
    out = tmp_path / "out"
    result = infer(config(images, out), engine=engine)
    assert (result.images, result.empty, result.detections) == (4, 1, {"patch": 3, "bolt": 0})
    assert [finding.image for finding in result.failed] == ["broken.jpg", "page.jpg"]
    assert "page.jpg: not an image that can be read (it holds HTML" in result.failed[1].message
    found = {row["file_name"]: row for row in rows(out)}
    assert [(row["image_id"], row["file_name"]) for row in rows(out)] == [
        (3, "img2.jpg"),
        (4, "img10.jpg"),
        (6, "sub/a.png"),
    ]
    assert found["sub/a.png"]["bbox"] == pytest.approx([60, 80, 50, 20])
    assert found["sub/a.png"]["keypoints"] == pytest.approx([60, 80, 0.8, 110, 80, 0.7], abs=1e-3)
    assert found["img2.jpg"]["bbox"] == pytest.approx([40, 30, 50, 20], abs=1.5), "pixels of the upright picture"
    assert found["img10.jpg"]["bbox"] == pytest.approx([40, 30, 50, 20], abs=1.5)


def test_flip_test_looks_twice(images: Path, tmp_path: Path, engine: Engine) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    infer(config(images, once), engine=engine)
    result = infer(config(images, twice, flip_test=True), engine=engine)
    assert result.engine == "RedPatchEngine, flip test"
    assert len(rows(once)) == 3
    for found, again in zip(rows(once), rows(twice), strict=True):
        assert again["bbox"] == pytest.approx(found["bbox"], abs=1e-3)
        assert again["keypoints"][:2] == pytest.approx(found["keypoints"][:2], abs=1e-3)
        assert again["keypoints"][2::3] == [0.75, 0.75], "0.8 on the one side, 0.7 on the other, exchanged"


def test_table_and_pictures(images: Path, tmp_path: Path, engine: Engine) -> None:
    out = tmp_path / "out"
    infer(config(images, out), engine=engine)
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    assert [row["file_name"] for row in table] == ["img2.jpg", "img10.jpg", "sub/a.png"]
    assert (table[0]["image_width"], table[0]["image_height"]) == ("160", "120")
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert written == [
        "pictures/blue.png.jpg",
        "pictures/img10.jpg",
        "pictures/img2.jpg",
        "pictures/sub/a.png.jpg",
        "predictions.csv",
        "predictions.json",
        "predictions.jsonl",
        "run.json",
    ]
    with Image.open(out / "pictures" / "img2.jpg") as picture:
        assert picture.size == (160, 120), "drawn upright"


def test_events_and_manifest(images: Path, tmp_path: Path, engine: Engine) -> None:
    events: list[dict[str, Any]] = []
    result = infer(config(images, tmp_path / "out"), events.append, engine=engine)
    assert [event["done"] for event in events if event["kind"] == "image"] == [1, 2, 3, 4, 5, 6]
    assert {event["total"] for event in events if event["kind"] == "image"} == {6}
    manifest = json.loads((result.out / "run.json").read_text(encoding="utf-8"))
    assert (manifest["command"], manifest["status"], manifest["images"]) == ("infer", "ok", 4)
    assert manifest["report"]["counts"] == {"image-unreadable": 2}


def test_contact_sheet_without_pictures(images: Path, tmp_path: Path, engine: Engine) -> None:
    result = infer(config(images, tmp_path / "out", no_images=True, contact_sheet=True), engine=engine)
    assert result.contact_sheet == tmp_path / "out" / "contact_sheet.jpg"
    assert result.contact_sheet.is_file()
    assert not (tmp_path / "out" / "pictures").exists()


@pytest.mark.parametrize(
    ("settings", "count"),
    [({"min_score": 0.95}, 0), ({"min_score": 0.0}, 8), ({"min_score": 0.0, "max_detections": 1}, 4)],
)
def test_limits(images: Path, tmp_path: Path, engine: Engine, settings: dict[str, Any], count: int) -> None:
    infer(config(images, tmp_path / "out", no_images=True, **settings), engine=engine)
    assert len(rows(tmp_path / "out")) == count


def test_second_run_does_not_take_its_own_pictures(images: Path, engine: Engine) -> None:
    out = images / "predictions"
    first = infer(config(images, out), engine=engine)
    second = infer(config(images, out), engine=engine)
    assert first.images == second.images == 4
    assert "output-not-input" in [finding.code for finding in second.findings]


def coco(images: list[dict[str, Any]], category: str = "patch") -> dict[str, Any]:
    categories = [
        {"id": 15, "name": category, "supercategory": "", "keypoints": ["left", "right"], "skeleton": []},
        {"id": 16, "name": "bolt", "supercategory": ""},
    ]
    return {"images": images, "categories": categories, "annotations": []}


def test_files_of_an_earlier_run_are_told(images: Path, tmp_path: Path, engine: Engine) -> None:
    out = tmp_path / "out"
    first = infer(config(images, out, contact_sheet=True, to_coco_annotator=True), engine=engine)
    assert [f for f in first.findings if f.code == "older-outputs"] == []
    again = infer(config(images, out, contact_sheet=True, to_coco_annotator=True), engine=engine)
    assert [f for f in again.findings if f.code == "older-outputs"] == []
    (images / "img2.jpg").unlink()
    third = infer(config(images, out), engine=engine)
    told = [finding.message for finding in third.findings if finding.code == "older-outputs"]
    assert told == [
        f"{out}: 3 files of an earlier run lie among those of this one, first contact_sheet.jpg. "
        "Remove them, or choose another --out."
    ]
    assert (out / "pictures" / "img2.jpg").is_file()


def test_ids_of_annotations(images: Path, tmp_path: Path, engine: Engine) -> None:
    entries = [
        {"id": 252, "file_name": "img2.jpg", "width": 120, "height": 160},
        {"id": 253, "file_name": "a.png", "width": 160, "height": 120},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco(entries)))
    result = infer(config(images, tmp_path / "out", annotations=path, no_images=True), engine=engine)
    assert [(row["image_id"], row["category_id"]) for row in rows(tmp_path / "out")] == [(252, 15), (253, 15)]
    codes = [finding.code for finding in result.findings]
    assert codes.count("image-without-id") == 4
    turned = [finding.message for finding in result.findings if finding.code == "image-size-differs"]
    assert len(turned) == 1
    assert "img2.jpg: 160x120 when shown upright, 120x160 in" in turned[0]


def test_class_of_annotations_in_another_case(images: Path, tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco([], "Patch")))
    with pytest.raises(ConfigError, match="has the class 'Patch' where the model has 'patch'"):
        infer(config(images, tmp_path / "out", annotations=path), engine=engine)
    assert not (tmp_path / "out").exists()


def test_run_of_a_training_is_not_overwritten(images: Path, tmp_path: Path, engine: Engine) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text('{"command": "train"}')
    with pytest.raises(ConfigError, match="is the folder of a 'train' run"):
        infer(config(images, run), engine=engine)


class WrongEngine:
    """Speaks of a class that its metadata does not have."""

    batch_size = calls = 1

    def __init__(self, inner: Engine) -> None:
        self.metadata, self.inner = inner.metadata, inner

    def detect_batch(self, images: Any) -> Any:
        return [{**self.inner.detect(image), "detection_classes": np.array([5, 5])} for image in images]


def test_failure_leaves_nothing_half_written(images: Path, tmp_path: Path, engine: Engine) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="the model found class 5"):
        infer(config(images, out), engine=WrongEngine(engine))
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == ["predictions.jsonl", "run.json"]
    lines = (out / "predictions.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["file_name"] for line in lines.splitlines()] == ["blue.png", "broken.jpg"], "whole lines"
    assert json.loads((out / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize(
    ("name", "expected"), [("a.jpg", "a.jpg"), ("s/a.JPEG", "s/a.JPEG"), ("a.png", "a.png.jpg"), ("a", "a.jpg")]
)
def test_picture_name(name: str, expected: str) -> None:
    assert picture_name(name) == expected
