"""`infer` over many pictures: batches, going on after a kill, bounded memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from infer_runs import RESULTS, Recorder, config, interrupted, lines, patch, pictures, results
from PIL import Image
from red_patch import RedPatchEngine

from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.stages.infer import InferResult, infer
from kpt_tools.stages.infer_journal import JOURNAL_NAME


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Eleven pictures of two sizes in two folders; one is no picture."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for number in range(10):
        size = (160, 120) if number % 3 else (200, 100)
        place = folder / "more" if number > 6 else folder
        Image.fromarray(patch(10 + 5 * number, size)).save(place / f"img{number}.png")
    (folder / "img4b.png").write_bytes(b"no picture")
    return folder


def test_one_line_per_image(images: Path, tmp_path: Path) -> None:
    infer(config(images, tmp_path / "out"), engine=Recorder())
    found = lines(tmp_path / "out")
    assert [row["file_name"] for row in found] == [
        *(f"img{number}.png" for number in (0, 1, 2, 3, 4)),
        "img4b.png",
        *(f"img{number}.png" for number in (5, 6)),
        *(f"more/img{number}.png" for number in (7, 8, 9)),
    ]
    assert [row["image_id"] for row in found] == list(range(1, 12))
    assert found[0] == {
        "image_id": 1,
        "file_name": "img0.png",
        "width": 200,
        "height": 100,
        "detections": [
            {
                "category_id": 1,
                "category_name": "patch",
                "bbox": [10.0, 30.0, 50.0, 20.0],
                "score": 0.9,
                "keypoints": [10.0, 30.0, 0.8, 60.0, 30.0, 0.7],
            }
        ],
    }
    assert list(found[5]) == ["image_id", "file_name", "error"]
    assert "img4b.png: not an image that can be read" in found[5]["error"]


@pytest.mark.parametrize(
    ("settings", "batches"),
    [
        ({"batch_size": 1, "workers": 1}, [1] * 10),
        ({"batch_size": 3, "workers": 1}, [3, 2, 3, 2]),
        ({"batch_size": 3, "workers": 5}, [3, 2, 3, 2]),
        ({"batch_size": 64}, [5, 5]),
        ({}, [4, 1, 4, 1]),
    ],
    ids=["one", "three", "three, many threads", "all", "the engine's own"],
)
def test_batches_change_nothing(images: Path, tmp_path: Path, settings: dict[str, Any], batches: list[int]) -> None:
    infer(config(images, tmp_path / "alone", batch_size=1, workers=1), engine=Recorder())
    engine = Recorder(batch_size=4)
    result = infer(config(images, tmp_path / "out", **settings), engine=engine)
    assert engine.batches == batches, "the picture that cannot be read, the sixth, ends a batch"
    assert results(tmp_path / "out") == results(tmp_path / "alone")
    assert pictures(tmp_path / "out") == pictures(tmp_path / "alone")
    assert (result.images, result.detected, len(result.failed)) == (10, 10, 1)


@pytest.mark.parametrize("after", [1, 4, 8])
def test_going_on_after_ctrl_c(images: Path, tmp_path: Path, after: int) -> None:
    infer(config(images, tmp_path / "whole"), engine=Recorder())
    cfg, events = config(images, tmp_path / "out", workers=1), []
    interrupted(cfg, after, on_event=events.append)
    done = len(lines(tmp_path / "out"))
    assert 0 < done < 11
    assert f"{done} images are done; the same command goes on from there." in events[-1]["text"]
    assert not (tmp_path / "out" / "predictions.json").exists()
    engine = Recorder()
    result = infer(config(images, tmp_path / "out", workers=2, batch_size=2), events.append, engine=engine)
    assert {"kind": "note", "text": f"{tmp_path / 'out'}: going on after the {done} images that are done."} in events
    assert sum(engine.batches) == result.detected
    assert result.detected == 10 - after
    assert done == after + sum("error" in row for row in lines(tmp_path / "out")[:done]), "nothing was lost"
    assert (result.images, result.detections, len(result.failed)) == (10, {"patch": 10, "bolt": 0}, 1)
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert pictures(tmp_path / "out") == pictures(tmp_path / "whole")
    assert not list((tmp_path / "out").glob(".kpt-tools-*"))


def test_going_on_after_an_engine_failed(images: Path, tmp_path: Path) -> None:
    cfg = config(images, tmp_path / "out", no_images=True)
    interrupted(cfg, 5, EngineError("out of memory"))
    assert infer(cfg, engine=Recorder()).images == 10


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from red_patch import RedPatchEngine
from kpt_tools.config.infer import InferConfig
from kpt_tools.stages.infer import infer

class Slow(RedPatchEngine):
    def detect_batch(self, images):
        time.sleep(0.2)
        return super().detect_batch(images)

infer(InferConfig(inputs=(sys.argv[1],), out=Path(sys.argv[2]), workers=1, contact_sheet=True), engine=Slow())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a kill of Unix")
def test_going_on_after_a_kill(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", KILLED, str(images), str(out), str(Path(__file__).parents[1])]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (out / JOURNAL_NAME).is_file() or (out / JOURNAL_NAME).read_bytes().count(b"\n") < 3:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(ConfigError, match="another kpt-tools infer is writing there"):
            infer(config(images, out), engine=Recorder())
        os.kill(process.pid, signal.SIGKILL)
    with (out / JOURNAL_NAME).open("ab") as handle:
        handle.write(b'{"image_id": 99, "file_na')
    done = (out / JOURNAL_NAME).read_bytes().count(b"\n")
    assert json.loads((out / "run.json").read_text())["status"] == "running"
    engine = Recorder()
    result = infer(config(images, out, contact_sheet=True), engine=engine)
    assert sum(engine.batches) <= 10 - done + 1
    infer(config(images, tmp_path / "whole", contact_sheet=True), engine=Recorder())
    assert results(out) == results(tmp_path / "whole")
    assert pictures(out) == pictures(tmp_path / "whole")
    assert (out / "contact_sheet.jpg").read_bytes() == (tmp_path / "whole" / "contact_sheet.jpg").read_bytes()
    assert "older-outputs" not in result.counts
    assert sorted(path.name for path in out.iterdir()) == [
        "contact_sheet.jpg", "pictures", *sorted(RESULTS), "run.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_score": 0.5}, r"unfinished run with other settings \(min_score was 0\.3, is now 0\.5\)"),
        ({"track": True}, r"\(track was false, is now true\)"),
    ],
    ids=["min-score", "track"],
)
def test_other_settings_are_refused(images: Path, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    interrupted(config(images, tmp_path / "out", no_images=True), 4)
    before = (tmp_path / "out" / JOURNAL_NAME).read_bytes()
    with pytest.raises(ConfigError, match=message) as caught:
        infer(config(images, tmp_path / "out", no_images=True, **settings), engine=Recorder())
    assert "--overwrite to start anew" in str(caught.value)
    assert (tmp_path / "out" / JOURNAL_NAME).read_bytes() == before
    engine = Recorder()
    infer(config(images, tmp_path / "out", no_images=True, overwrite=True, **settings), engine=engine)
    assert sum(engine.batches) == 10


def test_what_a_caller_adds_counts_as_a_setting(images: Path, tmp_path: Path) -> None:
    cfg = config(images, tmp_path / "out", no_images=True)
    interrupted(cfg, 4, more={"heatmap": {"boxes": "a.json"}})
    with pytest.raises(ConfigError, match=r'\(boxes was "a.json", is now "b.json"\)'):
        infer(cfg, engine=Recorder(), more={"heatmap": {"boxes": "b.json"}})
    assert infer(cfg, engine=Recorder(), more={"heatmap": {"boxes": "a.json"}}).images == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "img0.png").unlink(), "had 'img0.png' where there is now 'img1.png'"),
        (
            lambda folder: [path.unlink() for path in sorted(folder.rglob("*.png"))[2:]],
            "had 'img2.png' where there is now no picture",
        ),
    ],
    ids=["one less", "fewer than are done"],
)
def test_other_inputs_are_refused(images: Path, tmp_path: Path, change: Any, message: str) -> None:
    interrupted(config(images, tmp_path / "out", no_images=True, workers=1), 5)
    change(images)
    with pytest.raises(ConfigError, match=message):
        infer(config(images, tmp_path / "out", no_images=True, workers=1), engine=Recorder())


def test_a_finished_run_is_made_anew(images: Path, tmp_path: Path) -> None:
    for score in (0.3, 0.95):
        engine = Recorder()
        result = infer(config(images, tmp_path / "out", no_images=True, min_score=score), engine=engine)
        assert sum(engine.batches) == 10
        assert len(lines(tmp_path / "out")) == 11
    assert result.empty == 10


def test_findings_are_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpt_tools.stages.infer.MOST_FINDINGS", 5)
    (tmp_path / "images").mkdir()
    for number in range(12):
        (tmp_path / "images" / f"{number}.jpg").write_bytes(b"no picture")
    result = infer(config(tmp_path / "images", tmp_path / "out"), engine=Recorder())
    assert (len(result.failed), result.counts) == (5, {"image-unreadable": 12})
    report = json.loads((tmp_path / "out" / "run.json").read_text())["report"]
    assert (report["counts"], report["not_listed"]) == ({"image-unreadable": 12}, {"image-unreadable": 7})
    assert sum("error" in row for row in lines(tmp_path / "out")) == 12


# --- videos and cameras


def test_an_unreadable_video_is_lost(tmp_path: Path, images: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    cfg = InferConfig(inputs=(str(tmp_path / "a.mp4"), str(images)), out=tmp_path / "out", no_images=True)
    result = infer(cfg, engine=Recorder())
    assert result.images == 10
    assert [finding.code for finding in result.failed] == ["image-unreadable", "video-unreadable"]


class Cheap(RedPatchEngine):
    """Finds something everywhere, without looking."""

    batch_size = 4

    def detect_batch(self, images: Sequence[np.ndarray[Any, Any]]) -> list[dict[str, np.ndarray[Any, Any]]]:
        found = {
            "detection_boxes": np.array([[0.1, 0.1, 0.5, 0.5]], np.float32),
            "detection_classes": np.array([1], np.float32),
            "detection_scores": np.array([0.9], np.float32),
            "detection_keypoints": np.array([[[0.1, 0.1], [0.1, 0.5]]], np.float32),
            "detection_keypoint_scores": np.array([[0.8, 0.7]], np.float32),
        }
        return [found] * len(images)


def peak_of(cfg: InferConfig) -> tuple[int, InferResult]:
    """Largest memory that Python held during the run, in bytes."""
    tracemalloc.start()
    result = infer(cfg, engine=Cheap())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, result


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    # pathlib interns names. Python's table of those doubles now and then; here it does so before anything is measured.
    names = [sys.intern(f"name {number}") for number in range(1 << 19)]
    del names
    content = tmp_path / "a.png"
    Image.fromarray(patch(10, (64, 64))).save(content)
    for count in (100, 2000):
        (tmp_path / str(count)).mkdir()
        for number in range(count):
            os.link(content, tmp_path / str(count) / f"img{number}.png")
    few, _ = peak_of(config(tmp_path / "100", tmp_path / "warm", no_images=True))
    few, _ = peak_of(config(tmp_path / "100", tmp_path / "few", no_images=True))
    many, result = peak_of(config(tmp_path / "2000", tmp_path / "many", no_images=True))
    assert result.images == 2000
    print(few, many)
    assert many - few < 2000 * 250, "of each image no more than its name in the folder"
