"""merge and convert as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coco_factories import many_dict, write_project

from kpt_tools.cli.main import run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    raw = many_dict(3)
    raw["images"][2]["file_name"] = "a [red]b[/red].jpg"
    write_project(tmp_path, raw)
    return tmp_path


def test_convert_and_back(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, images, yolo = str(project / "annotations.json"), str(project / "images"), str(project / "yolo")
    assert run(["convert", source, "--to", "yolo-pose", "--out", yolo, "--images", images, "--copy-images"]) == 0
    out = capsys.readouterr().out
    assert f"Read {source} (coco): 3 images, 3 objects." in out
    assert f"Wrote {yolo} (yolo-pose)." in out
    assert "Copied 3 images." in out
    assert "val-is-train" in out
    assert run(["convert", yolo, "--to", "coco", "--out", str(project / "back.json")]) == 0
    assert f"Read {yolo} (yolo-pose): 3 images, 3 objects." in capsys.readouterr().out
    assert len(json.loads((project / "back.json").read_text())["annotations"]) == 3


def test_convert_that_lost_something_exits_with_3(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "images" / "img1.jpg").unlink()
    arguments = ["convert", str(project / "annotations.json"), "--to", "labelme", "--out", str(project / "out")]
    assert run([*arguments, "--images", str(project / "images")]) == 3
    captured = capsys.readouterr()
    assert "img1.jpg: no such file" in captured.out
    assert "Something was lost on the way: 1 errors" in captured.err
    assert len(list((project / "out").iterdir())) == 3


def test_flip_pairs_and_notes_are_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = json.loads((project / "annotations.json").read_text())
    raw["categories"][0]["keypoints"] = ["left_grip", "right_grip"]
    (project / "annotations.json").write_text(json.dumps(raw))
    arguments = ["convert", str(project / "annotations.json"), "--to", "yolo-pose", "--val", "0.4", "--out"]
    assert run([*arguments, str(project / "a")]) == 0
    assert "Exchanged in a mirror image: left_grip - right_grip" in capsys.readouterr().out
    raw["categories"][0]["keypoints"] = ["left_grip", "tip"]
    (project / "annotations.json").write_text(json.dumps(raw))
    assert run([*arguments, str(project / "b")]) == 0
    assert "Note: class 'plier': keypoint 'left_grip' names a side" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", 3, "the file is empty"),
        ('{"images": [', 3, "not valid JSON"),
        ("[]", 2, "Name the format with --from"),
        (None, 2, "no such file or folder"),
    ],
    ids=["empty", "truncated", "list", "absent"],
)
def test_bad_input_is_one_line(
    tmp_path: Path, text: str | None, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    assert run(["convert", str(path), "--to", "coco", "--out", str(tmp_path / "b.json")]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"kpt-tools: error: {path}: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "name", ["coco", "coco-annotator", "cvat", "label-studio", "labelme", "yolo-pose", "deeplabcut"]
)
@pytest.mark.parametrize("text", ["", '{"images": [', "[]", "7", '"x"', "{}", "[1]"])
def test_bad_content_of_a_named_format_is_one_line(
    tmp_path: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    code = run(["convert", str(path), "--from", name, "--to", "coco", "--out", str(tmp_path / "b.json")])
    assert code in (2, 3)
    captured = capsys.readouterr()
    assert captured.err.startswith(f"kpt-tools: error: {path}: ")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "b.json").exists()


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "a.json", "--to", "yolo", "--out", "x"]) == 2
    assert "'yolo' is not one of" in capsys.readouterr().err
    assert run(["merge"]) == 2
    assert run(["merge", "a.json"]) == 2
    assert "1 JSON to merge; expected two or more" in capsys.readouterr().err


def test_merge_says_what_it_wrote(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = project / "other.json"
    raw = many_dict(2)
    raw["categories"][0]["name"] = "Plier"
    other.write_text(json.dumps(raw))
    arguments = ["merge", str(project / "annotations.json"), str(other), "--out", str(project / "all.json")]
    assert run(arguments) == 3
    assert "--same-images" in capsys.readouterr().err
    assert run([*arguments, "--same-images", "--rename", "Plier=plier"]) == 0
    out = capsys.readouterr().out
    assert "annotations.json: 3 images, 3 objects." in out
    assert "all.json: 3 images, 3 objects; plier (2 keypoints)." in out
    assert run([*arguments, "--images-prefix", "a/", "--images-prefix", "b/"]) == 0
    out = capsys.readouterr().out
    assert "all.json: 5 images, 5 objects; plier (2 keypoints), Plier (2 keypoints)." in out
    assert "differ only in case" in out


def test_merge_copies(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = project / "other.json"
    other.write_text(json.dumps(many_dict(2)))
    copies = project / "copies"
    arguments = ["merge", str(project / "annotations.json"), str(other), "--out", str(project / "all.json")]
    assert run([*arguments, "--images", str(project / "images"), "--copy-images", str(copies)]) == 0
    assert f"Copied 3 images to {copies}." in capsys.readouterr().out
    assert len(list(copies.iterdir())) == 3
