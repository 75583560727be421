"""make-tfrecord and check on Beam give what they give without it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from coco_factories import encoded, many_dict, pixels, write_project
from PIL import Image

from kpt_tools.config.beam import BeamConfig
from kpt_tools.config.check import CheckConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.stages.check import CheckResult, check
from kpt_tools.stages.make_tfrecord import MakeTfrecordResult, make_tfrecord

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("apache_beam") is None,
        reason="Apache Beam is not installed; it has an environment of its own: make beam",
    ),
    pytest.mark.filterwarnings("ignore"),  # Beam's own
]
DIRECT = BeamConfig("DirectRunner")


def project(folder: Path, count: int = 30) -> None:
    """Images of which one is cut off, one is missing, one has no objects, and one is turned."""
    raw = many_dict(count)
    del raw["annotations"][10]
    _, images = write_project(folder, raw)
    (images / "img3.jpg").write_bytes(encoded()[:-300])
    (images / "img5.jpg").unlink()
    exif = Image.Exif()
    exif[0x0112] = 6
    (images / "img7.jpg").write_bytes(encoded(Image.fromarray(pixels()), exif=exif))


def convert(annotations: str, images: str, out: str, beam: BeamConfig | None, **changes: Any) -> MakeTfrecordResult:
    config = MakeTfrecordConfig(
        annotations=Path(annotations), images=Path(images), out=Path(out), label_map=Path(f"{out}/map.pbtxt"), **changes
    )
    return make_tfrecord(config) if beam is None else make_tfrecord(config, beam=beam)


def contents(folder: Path) -> dict[str, Any]:
    """What is in a folder of records, without what tells where it is."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir() if "dead" not in path.name}
    found["manifest.json"] = json.loads(found["manifest.json"])
    del found["manifest.json"]["source"]
    return found


def letters(folder: Path) -> list[dict[str, str]]:
    found = sorted(folder.glob("dead_letters*.jsonl"))
    return [json.loads(line) for path in found for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "changes",
    [{"shards": 3}, {"val": None, "max_side": 40, "seed": 3}, {"verify": "full", "keep_empty": True}],
    ids=["shards", "reduced", "verified"],
)
def test_records_are_those_of_the_local_way(tmp_path: Path, changes: dict[str, Any]) -> None:
    project(tmp_path)
    given = str(tmp_path / "annotations.json"), str(tmp_path / "images")
    ours = convert(*given, str(tmp_path / "local"), None, **changes)
    beams = convert(*given, str(tmp_path / "beam"), DIRECT, **changes)
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")
    assert beams.report.findings == ours.report.findings
    assert (beams.splits, beams.images_given, beams.instances_given) == (
        ours.splits,
        ours.images_given,
        ours.instances_given,
    )
    assert [(letter["work"], letter["item"]) for letter in letters(tmp_path / "beam")] == [
        ("looking at images", "img3.jpg")
    ]
    assert not [path for path in (tmp_path / "beam").iterdir() if path.is_dir()]


def test_everything_may_be_on_another_filesystem(tmp_path: Path, shelf: Path) -> None:
    project(tmp_path)
    convert(str(tmp_path / "annotations.json"), str(tmp_path / "images"), str(tmp_path / "local"), None, shards=2)
    shutil.copytree(tmp_path / "images", shelf / "lab" / "images")
    shutil.copy(tmp_path / "annotations.json", shelf / "lab" / "annotations.json")
    for shards in (4, 2):  # the second run replaces the first
        result = convert("shelf://lab/annotations.json", "shelf://lab/images", "shelf://out/a", DIRECT, shards=shards)
    ours, far = contents(tmp_path / "local"), contents(shelf / "out" / "a")
    reports = [json.loads(found.pop("report.json"))["counts"] for found in (ours, far)]
    assert far == ours
    assert reports[0] == reports[1]
    (missing,) = (found.message for found in result.report.findings if found.code == "image-missing")
    assert "no such file in shelf://lab/images" in missing


def test_an_image_that_fails_goes_to_the_dead_letters(tmp_path: Path, shelf: Path) -> None:
    raw = many_dict(12)
    raw["images"][4]["file_name"] = "locked.jpg"
    write_project(shelf, raw)
    result = convert("shelf://annotations.json", "shelf://images", "shelf://out", DIRECT, val=None)
    assert result.splits["train"].images == 11
    assert result.report.counts() == {"image-unreadable": 1}
    (letter,) = letters(shelf / "out")
    assert letter["item"] == "locked.jpg"
    assert "the shelf is locked" in letter["reason"]
    assert "Traceback" in letter["traceback"]


def test_an_image_that_fails_when_it_is_written_is_left_out_of_everything(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(9))

    def spoil(items: Any, what: str) -> Any:
        if what == "writing train records":
            (tmp_path / "images" / "img2.jpg").write_bytes(b"")
        yield from items

    out = tmp_path / "out"
    config = MakeTfrecordConfig(tmp_path / "annotations.json", tmp_path / "images", out, tmp_path / "map", val=None)
    result = make_tfrecord(config, spoil, DIRECT)
    assert result.splits["train"].images == 8
    assert result.report.counts() == {"image-unreadable": 1}
    assert len(json.loads((out / "train.json").read_text())["images"]) == 8
    (letter,) = letters(out)
    assert (letter["work"], "img2.jpg" in letter["reason"]) == ("writing train records", True)


def checked(annotations: str, images: str, beam: BeamConfig | None, report: Path) -> CheckResult:
    config = CheckConfig(annotations=Path(annotations), images=Path(images), report=report)
    return check(config) if beam is None else check(config, beam=beam)


def test_check_finds_the_same(tmp_path: Path, shelf: Path) -> None:
    project(shelf)
    shutil.copy(shelf / "images" / "img1.jpg", shelf / "images" / "img2.jpg")
    (tmp_path / "beam").mkdir()
    local = str(shelf / "annotations.json"), str(shelf / "images")
    ours = checked(*local, None, tmp_path / "local.json")
    beams = checked(*local, DIRECT, tmp_path / "beam" / "report.json")
    assert beams == ours
    assert {"image-copy", "image-truncated", "image-missing"} <= set(ours.report.counts())
    assert [letter["item"] for letter in letters(tmp_path / "beam")] == ["img3.jpg"]
    far = checked("shelf://annotations.json", "shelf://images", DIRECT, Path("shelf://out/report.json"))
    assert far.report.counts() == ours.report.counts()
    assert json.loads((shelf / "out" / "report.json").read_text())["counts"] == ours.report.counts()


@pytest.mark.slow
def test_several_processes_write_the_same(tmp_path: Path, repository: Path) -> None:
    project(tmp_path)
    command = [sys.executable, "-m", "kpt_tools", "make-tfrecord", "annotations.json", "images", "--shards=3"]
    outputs = {"local": [], "beam": ["--runner", "DirectRunner", "--direct_num_workers=2",
                                     "--direct_running_mode=multi_processing"]}  # fmt: skip
    for out, options in outputs.items():
        done = subprocess.run(
            [*command, f"--out={out}", f"--label-map={out}/map.pbtxt", *options],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")
    assert [letter["item"] for letter in letters(tmp_path / "beam")] == ["img3.jpg"]


def test_a_pipeline_that_fails_is_one_error(tmp_path: Path) -> None:
    write_project(tmp_path, many_dict(3))
    beam = BeamConfig("DirectRunner", ("--direct_running_mode=nonsense",))
    with pytest.raises((EngineError, SystemExit), match=r"the Beam pipeline failed|2"):
        convert(str(tmp_path / "annotations.json"), str(tmp_path / "images"), str(tmp_path / "out"), beam)


def test_pictures_of_a_page_must_be_here(tmp_path: Path, shelf: Path) -> None:
    project(shelf)
    config = CheckConfig(Path("shelf://annotations.json"), Path("shelf://images"), html=tmp_path / "a.html")
    with pytest.raises(ConfigError, match=r"--html shows pictures of .*, which are not on this machine"):
        check(config, beam=DIRECT)
