"""`infer` on videos and cameras."""

from __future__ import annotations

import csv
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from infer_runs import Recorder, config, interrupted, lines, patch, results

from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.video import VideoWriter, open_video, read_frames
from kpt_tools.stages.infer import infer


def make_video(path: Path, count: int = 12) -> Path:
    (path.parent / "scratch").mkdir()
    writer = VideoWriter(path, path.parent / "scratch", 10.0)
    for number in range(count):
        writer.write(patch(10 + 4 * number))
    writer.close()
    (path.parent / "scratch").rmdir()
    return path


def frames_of(path: Path) -> list[np.ndarray[Any, Any]]:
    return [load() for load in read_frames(open_video(path, "x"))]


def test_video(tmp_path: Path) -> None:
    video, out = make_video(tmp_path / "clip.mp4"), tmp_path / "out"
    result = infer(config(video, out, contact_sheet=True), engine=Recorder())
    assert (result.images, result.videos) == (12, (out / "videos" / "clip.mp4",))
    found = lines(out)
    assert [(row["file_name"], row["video"], row["frame"], row["seconds"]) for row in found[:3]] == [
        ("clip.mp4/frame000000", "clip.mp4", 0, 0.0),
        ("clip.mp4/frame000001", "clip.mp4", 1, 0.1),
        ("clip.mp4/frame000002", "clip.mp4", 2, 0.2),
    ]
    assert [row["detections"][0]["bbox"][0] for row in found] == pytest.approx(range(10, 58, 4), abs=2)
    annotated = frames_of(out / "videos" / "clip.mp4")
    assert len(annotated) == 12
    difference = np.abs(annotated[5].astype(int) - frames_of(video)[5]).max(axis=2)
    assert difference[:60].max() > 100, "box and points are drawn"
    assert difference[90:].max() < 30
    assert (out / "contact_sheet.jpg").is_file()
    assert not (out / "pictures").exists()


def test_going_on_in_the_middle_of_a_video(tmp_path: Path) -> None:
    pytest.importorskip("trackers", reason="the extra `video` is not installed")
    first, second = make_video(tmp_path / "a.mp4", 5), make_video(tmp_path / "b.mp4", 12)
    whole = InferConfig(inputs=(str(first), str(second)), out=tmp_path / "whole", track=True)
    infer(whole, engine=Recorder())
    cfg = InferConfig(inputs=(str(first), str(second)), out=tmp_path / "out", track=True, workers=1)
    interrupted(cfg, 11)
    done = len(lines(tmp_path / "out"))
    assert 5 < done < 17
    stamp = (tmp_path / "out" / "videos" / "a.mp4").stat().st_mtime_ns
    assert not (tmp_path / "out" / "videos" / "b.mp4").exists()
    engine = Recorder()
    infer(cfg, engine=engine)
    assert sum(engine.batches) == 17 - done, "frames that are done are drawn again, not looked at"
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    assert (tmp_path / "out" / "videos" / "a.mp4").stat().st_mtime_ns == stamp
    for name in ("a.mp4", "b.mp4"):
        ours, theirs = (frames_of(tmp_path / folder / "videos" / name) for folder in ("out", "whole"))
        assert len(ours) == len(theirs) == (5 if name == "a.mp4" else 12)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_tracked_objects_have_numbers_everywhere(tmp_path: Path) -> None:
    pytest.importorskip("trackers", reason="the extra `video` is not installed")
    out = tmp_path / "out"
    infer(config(make_video(tmp_path / "clip.mp4"), out, track=True, no_images=True), engine=Recorder())
    numbers = [row["detections"][0].get("track_id") for row in lines(out)]
    assert numbers == [None] + [1] * 11
    coco = json.loads((out / "predictions.json").read_text())
    assert [row.get("track_id") for row in coco] == numbers
    with (out / "predictions.csv").open(newline="") as handle:
        table = list(csv.DictReader(handle))
    assert [row["track_id"] for row in table] == ["", *["1"] * 11]
    assert [row["left_x"] for row in table][:1] == [str(lines(out)[0]["detections"][0]["keypoints"][0])]


def test_no_pre_annotations_of_videos(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--to-coco-annotator is for image files; leave out videos and cameras"):
        infer(config(make_video(tmp_path / "a.mp4"), tmp_path / "out", to_coco_annotator=True), engine=Recorder())
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_a_camera_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the place of camera 0, and a Ctrl-C while the fourth picture is looked at."""
    import cv2

    path, real = make_video(tmp_path / "a.mp4", 200), cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: real(str(path)))

    class Pressed(Recorder):
        def detect_batch(self, images: Any) -> Any:
            if sum(self.batches) == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return super().detect_batch(images)

    before = signal.getsignal(signal.SIGINT)
    out = tmp_path / "out"
    result = infer(InferConfig(inputs=("camera:0",), out=out, workers=1), engine=Pressed(batch_size=8))
    assert 4 <= result.images < 20
    assert json.loads((out / "run.json").read_text())["status"] == "ok"
    assert len(json.loads((out / "predictions.json").read_text())) == result.images
    monkeypatch.undo()
    assert len(frames_of(out / "videos" / "camera0.mp4")) == result.images
    assert signal.getsignal(signal.SIGINT) is before


def test_a_camera_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    path, real = make_video(tmp_path / "a.mp4", 9), cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: real(str(path)))
    cfg = InferConfig(inputs=("camera:0",), out=tmp_path / "out", max_frames=8, no_images=True)
    interrupted(cfg, 4, EngineError("out of memory"))
    with pytest.raises(ConfigError, match="what a camera showed does not come back"):
        infer(cfg, engine=Recorder())
    assert infer(replace(cfg, overwrite=True), engine=Recorder()).images == 8


# --- memory
