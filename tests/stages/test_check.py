from __future__ import annotations

import json
from pathlib import Path

import pytest
from coco_factories import coco_dict, many_dict, write_project

from kpt_tools.config.check import CheckConfig
from kpt_tools.errors import ConfigError
from kpt_tools.stages.check import check


def test_sound_project(tmp_path: Path) -> None:
    annotations, images = write_project(tmp_path, many_dict(3))
    result = check(CheckConfig(annotations, images))
    assert result.sound
    assert result.report.findings == []
    assert (result.images, result.usable_images, result.instances, result.usable_instances) == (3, 3, 3, 3)
    assert result.categories == {"plier": 2}


def test_findings_of_json_objects_and_images_in_one_report(tmp_path: Path) -> None:
    raw = many_dict(3)
    raw["annotations"][0]["keypoints"] = [1, 1, 9, 2, 2, 2]
    raw["annotations"][1].update(bbox=[40, 8, 30, 20], segmentation=[], keypoints=[50, 10, 2, 60, 20, 2])
    annotations, images = write_project(tmp_path, raw)
    (images / "img3.jpg").write_bytes(b"")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = check(CheckConfig(annotations, images, report=tmp_path / "report.json"))
    expected = {"keypoint-visibility-invalid": 1, "num-keypoints-differs": 1, "box-clipped": 1, "image-empty-file": 1}
    assert result.report.counts() == expected
    assert not result.sound
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["counts"] == expected
    assert written["codes"]["box-clipped"]["severity"] == "warning"
    assert before == {path: path.read_bytes() for path in before}


def test_annotations_only_needs_no_images(tmp_path: Path) -> None:
    annotations, images = write_project(tmp_path, many_dict(2))
    for path in images.iterdir():
        path.unlink()
    images.rmdir()
    assert check(CheckConfig(annotations, images, annotations_only=True)).usable_instances == 2
    with pytest.raises(ConfigError, match="no such folder"):
        check(CheckConfig(annotations, images))


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    annotations, images = write_project(tmp_path, coco_dict(annotations=[]))
    result = check(CheckConfig(annotations, images))
    assert result.report.counts() == {"category-unused": 1, "image-without-objects": 1, "nothing-usable": 1}
    assert not result.sound


def test_real_sheep(shared_data: Path) -> None:
    folder = shared_data / "sheep"
    result = check(CheckConfig(folder / "annotations" / "val.coco.json", folder / "images" / "val"))
    assert result.report.counts() == {"category-super-dropped": 1}
    assert (result.usable_images, result.categories) == (50, {"sheep": 18})


def test_a_file_that_is_no_coco_has_a_report_too(tmp_path: Path) -> None:
    annotations, images = write_project(tmp_path, many_dict(2))
    annotations.write_text(annotations.read_text(encoding="utf-8")[:300], encoding="utf-8")
    config = CheckConfig(annotations, images, report=tmp_path / "report.json")
    assert check(config).report.counts() == {"json-truncated": 1, "nothing-usable": 1}
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert list(written["codes"]) == ["json-truncated", "nothing-usable"]
    assert "not valid JSON" in written["findings"][0]["message"]


@pytest.mark.parametrize("option", ["report", "html"])
@pytest.mark.parametrize("name", ["annotations.json", "val.json"])
def test_an_input_is_never_overwritten(tmp_path: Path, option: str, name: str) -> None:
    annotations, images = write_project(tmp_path, many_dict(2))
    val = annotations.with_name("val.json")
    val.write_bytes(annotations.read_bytes())
    config = CheckConfig(annotations, images, against=val, **{option: tmp_path / name})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"--{option} .*{name}: is an input, which is never changed"):
        check(config)
    assert json.loads((tmp_path / name).read_text(encoding="utf-8")) == many_dict(2)
