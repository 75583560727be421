from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coco_factories import coco_dict, encoded, many_dict, object_dict, write_project
from exchange_factories import content
from PIL import Image

from kpt_tools.annotations.coco import read_coco
from kpt_tools.config.convert import FORMATS, ConvertConfig
from kpt_tools.entities import Dataset
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.convert import ConvertResult, convert

FOLDERS = ("yolo-pose", "labelme", "deeplabcut")
EXACT = [name for name in FORMATS if not name.startswith("deeplabcut")]


def run(source: Path, to_format: str, out: Path, **settings: Any) -> ConvertResult:
    return convert(ConvertConfig(source, to_format, out, **settings))


def back(result: ConvertResult, folder: Path, **settings: Any) -> Dataset:
    """What `coco` makes of a result."""
    again = run(result.out, "coco", folder, **settings)
    dataset, _ = read_coco(again.out)
    return dataset


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_project(tmp_path / "project", many_dict(3))
    return tmp_path / "project"


@pytest.mark.parametrize("name", EXACT)
def test_there_and_back_with_images(project: Path, tmp_path: Path, name: str) -> None:
    source, images = project / "annotations.json", project / "images"
    result = run(source, name, tmp_path / "out", images=images, copy_images=True)
    assert (result.from_format, result.images, result.instances, result.copied) == ("coco", 3, 3, 3)
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 3
    found = back(result, tmp_path / "again")
    assert content(found) == content(read_coco(source)[0])
    assert len(content(found)) == 3


@pytest.mark.parametrize("name", EXACT)
def test_from_any_format_into_any_other(project: Path, tmp_path: Path, name: str) -> None:
    """Each pair, by way of the format's own files."""
    source, images = project / "annotations.json", project / "images"
    first = run(source, name, tmp_path / "first", images=images, copy_images=True)
    others = [other for other in EXACT if other != name]
    assert len(others) == 5
    for other in others:
        second = run(first.out, other, tmp_path / other, images=images, from_format=name)
        found = back(second, tmp_path / f"{other}-back", from_format=other, images=images)
        assert content(found) == content(read_coco(source)[0]), (name, other)


@pytest.mark.parametrize("name", FORMATS)
def test_real_frames_of_mice(shared_data: Path, tmp_path: Path, name: str) -> None:
    if name == "deeplabcut-h5":
        pytest.importorskip("tables", reason="HDF5 needs the extra 'formats'")
    source = shared_data / "openfield" / "annotations.json"
    result = run(source, name, tmp_path / "out", images=shared_data / "openfield" / "images")
    found = back(
        result,
        tmp_path / "again.json",
        category="mouse" if name.startswith("deeplabcut") else None,
        images=shared_data / "openfield" / "images",
        from_format=name,
    )
    boxes = not name.startswith("deeplabcut")
    truth = read_coco(source)[0]
    assert close(content(found, boxes=boxes), content(truth, boxes=boxes)) == 116
    assert found.categories[0].keypoints == truth.categories[0].keypoints
    assert {(row.width, row.height) for row in found.images} == {(640, 480)}


def close(found: list[Any], truth: list[Any]) -> int:
    """Number of rows, all equal to a hundredth of a pixel."""
    assert len(found) == len(truth)
    for (name, label, box, points), (other, other_label, other_box, other_points) in zip(found, truth, strict=True):
        assert (name, label, [p[0] for p in points]) == (other, other_label, [p[0] for p in other_points])
        assert [v for _, (_, _, v) in points] == [v for _, (_, _, v) in other_points]
        for a, b in [(box or (), other_box or ()), *((p[1], q[1]) for p, q in zip(points, other_points, strict=True))]:
            assert list(a) == pytest.approx(list(b), abs=0.011)
    return len(found)


@pytest.mark.parametrize("name", ["yolo-pose", "label-studio", "labelme", "cvat", "coco-annotator"])
def test_real_sheep(shared_data: Path, tmp_path: Path, name: str) -> None:
    folder = shared_data / "sheep"
    source = folder / "annotations" / "val.coco.json"
    result = run(source, name, tmp_path / "out", images=folder / "images" / "val")
    found = back(result, tmp_path / "again.json", images=folder / "images" / "val", from_format=name)
    assert close(content(found), content(read_coco(source)[0])) == 50
    assert not result.report.of_severity("error")


def turned_project(folder: Path, orientation: int) -> Path:
    """One picture of 64 x 48 stored pixels with an EXIF orientation, annotated on them as coco-annotator does."""
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    (folder / "img1.jpg").write_bytes(encoded(exif=exif))
    (folder / "a.json").write_text(json.dumps(coco_dict()))
    return folder


# Where the point (12, 10) of the 64 x 48 stored pixels is seen, by EXIF orientation.
SEEN = {1: (12, 10), 2: (52, 10), 3: (52, 38), 4: (12, 38), 5: (10, 12), 6: (38, 12), 7: (38, 52), 8: (10, 52)}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    folder = turned_project(tmp_path / "turned", orientation)
    result = run(folder / "a.json", "labelme", tmp_path / "out", images=folder, copy_images=True)
    (file,) = (tmp_path / "out").glob("*.json")
    raw = json.loads(file.read_text())
    assert (raw["imageWidth"], raw["imageHeight"]) == ((64, 48) if orientation < 5 else (48, 64))
    (tip,) = [row["points"][0] for row in raw["shapes"] if row["label"] == "tip"]
    assert tip == list(SEEN[orientation])
    assert result.report.counts().get("image-exif-rotated", 0) == (orientation != 1)
    found = back(result, tmp_path / "again", images=folder)
    assert content(found) == content(read_coco(folder / "a.json")[0])
    assert (found.images[0].width, found.images[0].height) == (64, 48), "stored pixels again"


def test_a_size_that_fits_one_frame_only_tells_the_frame(tmp_path: Path) -> None:
    folder = turned_project(tmp_path / "turned", 6)
    raw = coco_dict()
    raw["images"][0] |= {"width": 48, "height": 64}  # annotated by a tool that shows pictures upright
    (folder / "a.json").write_text(json.dumps(raw))
    run(folder / "a.json", "labelme", tmp_path / "out", images=folder)
    shapes = json.loads((tmp_path / "out" / "img1.json").read_text())["shapes"]
    assert [row["points"][0] for row in shapes if row["label"] == "tip"] == [[12.0, 10.0]], "as it was"


def spoil(project: Path, change: Callable[[dict[str, Any]], object]) -> None:
    raw = json.loads((project / "annotations.json").read_text())
    change(raw)
    (project / "annotations.json").write_text(json.dumps(raw))


def test_images_that_contradict_their_annotations_are_left_out(project: Path, tmp_path: Path) -> None:
    spoil(project, lambda raw: raw["images"][0].update(width=640, height=480))
    (project / "images" / "img2.jpg").write_bytes(b"")
    (project / "images" / "img3.jpg").unlink()
    result = run(project / "annotations.json", "coco", tmp_path / "a.json", images=project / "images")
    assert {"image-size-mismatch": 1, "image-empty-file": 1, "image-missing": 1} == result.report.counts()
    found, _ = read_coco(result.out)
    assert [row.file_name for row in found.images] == ["img2.jpg", "img3.jpg"], "their annotations may still be right"


def test_sizes_come_from_the_images(project: Path, tmp_path: Path) -> None:
    spoil(project, lambda raw: [row.pop("width") for row in raw["images"]])
    lost = run(project / "annotations.json", "yolo-pose", tmp_path / "lost")
    assert lost.report.counts()["image-size-unknown"] == 3
    found = run(project / "annotations.json", "yolo-pose", tmp_path / "out", images=project / "images")
    assert "image-size-unknown" not in found.report.counts()
    assert (tmp_path / "out" / "labels" / "train" / "img1.txt").read_text() != ""


def test_boxes_from_keypoints(project: Path, tmp_path: Path) -> None:
    spoil(project, lambda raw: [row.pop("bbox") for row in raw["annotations"]])
    result = run(
        project / "annotations.json", "label-studio", tmp_path / "t.json", boxes_from_keypoints=True, box_padding=0.0
    )
    assert result.report.counts() == {"box-from-keypoints": 3, "skeleton-lost": 1, "segmentation-lost": 1}
    assert {row.box_xywh_px for row in back(result, tmp_path / "b.json").instances} == {(12.0, 10.0, 18.0, 10.0)}


def test_yolo_split_and_flip_pairs(tmp_path: Path) -> None:
    raw = many_dict(10)
    raw["categories"][0]["keypoints"] = ["left_grip", "right_grip"]
    write_project(tmp_path / "project", raw)
    result = run(tmp_path / "project" / "annotations.json", "yolo-pose", tmp_path / "out", val=0.2)
    assert len(list((tmp_path / "out" / "labels" / "val").iterdir())) == 2
    assert len(list((tmp_path / "out" / "labels" / "train").iterdir())) == 8
    assert result.flip_pairs == (("left_grip", "right_grip"),)
    text = (tmp_path / "out" / "data.yaml").read_text()
    assert "flip_idx: [1, 0]" in text
    assert "val: images/val" in text
    assert "val-is-train" not in result.report.counts()
    plain = run(tmp_path / "project" / "annotations.json", "yolo-pose", tmp_path / "plain", flip_pairs="none")
    assert "flip_idx: [0, 1]" in (tmp_path / "plain" / "data.yaml").read_text()
    assert plain.flip_pairs == ()


def test_where_one_file_goes(project: Path, tmp_path: Path) -> None:
    source = project / "annotations.json"
    assert run(source, "label-studio", tmp_path / "x" / "my.json").out == tmp_path / "x" / "my.json"
    assert (tmp_path / "x" / "label_config.xml").is_file()
    assert run(source, "label-studio", tmp_path / "y").out == tmp_path / "y" / "tasks.json"
    assert run(source, "label-studio", tmp_path / "y").out.is_file(), "again: replaced"


@pytest.mark.parametrize("out", ["annotations.json", "."], ids=["file", "folder"])
def test_the_input_is_never_overwritten(project: Path, out: str) -> None:
    before = (project / "annotations.json").read_bytes()
    with pytest.raises(ConfigError, match=r"--out .*annotations.json: is an input, which is never changed"):
        run(project / "annotations.json", "coco", project / out)
    assert (project / "annotations.json").read_bytes() == before


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_in_use_is_refused(project: Path, tmp_path: Path, name: str) -> None:
    before = sorted(path.name for path in project.iterdir())
    with pytest.raises(ConfigError, match="is not empty; expected a new or empty folder"):
        run(project / "annotations.json", name, project)
    with pytest.raises(ConfigError, match="is a file; expected a new or empty folder"):
        run(project / "annotations.json", name, project / "annotations.json")
    assert sorted(path.name for path in project.iterdir()) == before
    (tmp_path / "empty").mkdir()
    run(project / "annotations.json", name, tmp_path / "empty")
    assert any((tmp_path / "empty").iterdir())


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("yolo-pose", "../evil.jpg"),
        ("yolo-pose", "a/../../evil.jpg"),
        ("labelme", "../evil.jpg"),
        ("labelme", "/etc/evil.jpg"),
        ("deeplabcut", "../evil.jpg"),
    ],
)
def test_names_that_lead_out_of_the_folder(project: Path, tmp_path: Path, name: str, target: str) -> None:
    spoil(project, lambda raw: raw["images"][0].update(file_name=name))
    with pytest.raises(DataError, match="leads out of the output folder"):
        run(project / "annotations.json", target, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"copy_images": True}, "--copy-images needs --images, the folder to copy from"),
        ({"from_format": "yolo-pose"}, "not valid YAML|holds no table|names is"),
        ({"from_format": "labelme"}, "no LabelMe file among 1"),
        ({"images": Path("nowhere")}, "nowhere: no such folder"),
        ({"classes": Path("nowhere.json")}, "nowhere.json: no such file"),
    ],
    ids=["copy", "yolo", "labelme", "images", "classes"],
)
def test_settings_that_do_not_fit(project: Path, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        run(project / "annotations.json", "coco", tmp_path / "a.json", **settings)
    assert not (tmp_path / "a.json").exists()


def test_copies_need_a_folder(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--copy-images needs a folder as --out; found the file"):
        run(project / "annotations.json", "coco", tmp_path / "a.json", images=project / "images", copy_images=True)


def test_a_folder_is_no_single_file(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; coco is one file"):
        run(project, "cvat", tmp_path / "a.json", from_format="coco")
    with pytest.raises(ConfigError, match="no such file or folder"):
        run(tmp_path / "none", "cvat", tmp_path / "a.json", from_format="coco")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"to_format": "yolo"}, "--to is 'yolo'; expected one of coco"),
        ({"from_format": "yolo"}, "--from is 'yolo'"),
        ({"val": 0.2}, "--val and --group-by are for yolo-pose; for coco use kpt-tools split"),
        ({"to_format": "yolo-pose", "group_by": "a"}, "--group-by needs --val"),
        ({"to_format": "yolo-pose", "val": 1.0}, "--val is 1.0"),
        ({"box_padding": -1.0}, "--box-padding is -1.0"),
        ({"scorer": "a/b"}, "--scorer is 'a/b'"),
        ({"scorer": " "}, "--scorer is ' '"),
    ],
)
def test_config(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(ConvertConfig(Path("a"), "coco", Path("b")), **changes)


def test_no_images_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": [], "categories": [], "annotations": [object_dict()]}))
    with pytest.raises(DataError, match="no usable image in it"):
        run(path, "cvat", tmp_path / "b.json")
