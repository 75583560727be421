"""check, split and make-tfrecord as a user types them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from coco_factories import many_dict, write_project

from kpt_tools.cli.main import run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    raw = many_dict(6)
    raw["images"][5]["file_name"] = "a [red]b[/red].jpg"
    write_project(tmp_path, raw)
    return tmp_path


def make(project: Path, *more: str) -> int:
    return run(["make-tfrecord", str(project / "annotations.json"), "--images", str(project / "images"),
                "--out", str(project / "out"), "--label-map", str(project / "map.pbtxt"), *more])  # fmt: skip


def test_make_tfrecord_says_what_it_wrote(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(project) == 0
    out = capsys.readouterr().out
    assert "Used 6 of 6 images and 6 of 6 objects." in out
    assert "plier (2 keypoints)" in out
    assert "train.record-?????-of-00001" in out


def test_make_tfrecord_that_lost_something_exits_with_3(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "images" / "a [red]b[/red].jpg").unlink()
    assert make(project) == 3
    captured = capsys.readouterr()
    assert "a [red]b[/red].jpg: no such file" in captured.out
    assert "Something was lost on the way" in captured.err
    assert (project / "out" / "manifest.json").is_file()


def test_make_tfrecord_strict(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "images" / "img1.jpg").unlink()
    assert make(project, "--strict") == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("kpt-tools: error: --strict: 1 findings (image-missing: 1)")
    assert captured.err.count("\n") == 1
    assert not (project / "out").exists()


def test_check_exit_code_and_examples(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", str(project / "annotations.json"), "--images", str(project / "images")]
    assert run(arguments) == 0
    assert "No findings." in capsys.readouterr().out
    for number in range(1, 6):
        (project / "images" / f"img{number}.jpg").write_bytes(b"")
    assert run([*arguments, "--report", str(project / "report.json")]) == 3
    out = capsys.readouterr().out
    assert out.count("zero bytes; expected an image") == 3
    assert "... and 2 more" in out
    assert "1 of 6 images and 1 of 6 objects can be used" in out
    assert "5 errors, 0 warnings, 0 notes" in out
    assert (project / "report.json").is_file()


def test_split_says_what_it_wrote(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["split", str(project / "annotations.json"), "--val", "0.5"]) == 0
    assert "annotations_train.json: 3 images, 3 objects." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "json-truncated"), ('{"images": [', "json-truncated"), ("{x}", "json-invalid"), ("[]", "json-not-coco")],
    ids=["empty", "truncated", "no JSON", "list"],
)
def test_check_of_bad_json_is_a_finding(
    tmp_path: Path, text: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    assert run(["check", str(path), str(tmp_path), "--report", str(tmp_path / "report.json")]) == 3
    captured = capsys.readouterr()
    assert f"\n{code}: Nothing can be read." in captured.out
    assert captured.err == ""
    assert set(json.loads((tmp_path / "report.json").read_text())["counts"]) == {code, "nothing-usable"}


@pytest.mark.parametrize("command", ["stats", "split", "make-tfrecord"])
@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", 3, "the file is empty"),
        ('{"images": [', 3, "not valid JSON"),
        ("[]", 3, "found a list"),
        (None, 2, "no such"),
    ],
    ids=["empty", "truncated", "list", "absent"],
)
def test_bad_json_is_one_line(
    tmp_path: Path, command: str, text: str | None, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    images = ["--images", str(tmp_path)] if command == "make-tfrecord" else []
    assert run([command, str(path), *images]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"kpt-tools: error: {path}: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_images_as_second_argument(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotations, images = str(project / "annotations.json"), str(project / "images")
    assert run(["check", annotations, images]) == 0
    out = ["--out", str(project / "out"), "--label-map", str(project / "map.pbtxt")]
    assert run(["make-tfrecord", annotations, images, *out]) == 0
    capsys.readouterr()
    assert run(["check", annotations, images, "--images", images]) == 2
    assert "both name a folder" in capsys.readouterr().err


def test_check_names_the_command_that_repairs_and_repair_does_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = json.loads((project / "annotations.json").read_text())
    raw["annotations"][0]["bbox"] = [0, 0, 0, 0]
    raw["annotations"][1]["num_keypoints"] = 7
    (project / "annotations.json").write_text(json.dumps(raw))
    annotations, images = str(project / "annotations.json"), str(project / "images")
    assert run(["check", annotations, images]) == 3
    out = capsys.readouterr().out
    (line,) = [line.strip() for line in out.splitlines() if line.startswith("  kpt-tools repair")]
    assert line.endswith("--codes box-missing --out " + str(project / "annotations_repaired.json"))
    assert run([*shlex.split(line)[1:], "--safe"]) == 0
    out = capsys.readouterr().out
    assert "num_keypoints 7 -> 2" in out
    assert "2 changes to " in out
    assert run(["check", str(project / "annotations_repaired.json"), images]) == 0


def test_stats_prints_and_writes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stats", str(project / "annotations.json"), "--json", str(project / "stats.json")]) == 0
    out = capsys.readouterr().out
    assert "6 images, 0 without objects; 6 of 64x48." in out
    assert json.loads((project / "stats.json").read_text())["classes"][0]["objects"] == 6
    raw = json.loads((project / "annotations.json").read_text())
    raw["annotations"][0]["image_id"] = 99
    (project / "annotations.json").write_text(json.dumps(raw))
    assert run(["stats", str(project / "annotations.json")]) == 3
    assert "Not everything could be read (1 errors)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--val", "50%"], 0, "_val.json: 3 images"),
        (["--val", "1", "--test", "2"], 0, "_test.json: 2 images"),
        (["--val", "0.34", "--in-file-order"], 0, "_train.json: 4 images"),
        (["--val", "x"], 2, "neither a share (0.2, 20%) nor a number"),
        (["--val", "6"], 2, "leave none for train"),
        (["--in-file-order", "--stratify"], 2, "goes by the file alone"),
    ],
)
def test_split_parts(
    project: Path, arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["split", str(project / "annotations.json"), *arguments]) == code
    captured = capsys.readouterr()
    assert told in (captured.err if code else captured.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "--workers is 0"),
        (["--against-images", "x"], "needs --against"),
        (["--against", "x.json", "--annotations-only"], "Leave one out"),
        (["--flip-pairs", "tip:nose"], "no class has a keypoint 'nose'"),
        (["--against", "missing.json"], "missing.json: no such file"),
    ],
)
def test_check_refuses(project: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(project / "annotations.json"), str(project / "images"), *arguments]) == 2
    assert message in capsys.readouterr().err
