"""Real small videos, written and read by OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.sources import Sources
from kpt_tools.inference.video import DEFAULT_FPS, VideoWriter, open_video, read_frames


def grey_video(path: Path, greys: list[int], fps: float = 12.5) -> Path:
    """96 x 64, red brighter than the rest."""
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    writer = VideoWriter(path, scratch, fps)
    for grey in greys:
        image = np.full((64, 96, 3), grey, np.uint8)
        image[..., 0] += 40
        writer.write(image)
    assert writer.close() == path
    assert list(scratch.iterdir()) == []
    scratch.rmdir()
    return path


def test_round_trip(tmp_path: Path) -> None:
    greys = [20, 80, 140, 200]
    video = open_video(grey_video(tmp_path / "a.mp4", greys), "a.mp4")
    assert (video.fps, video.frames, video.live) == (12.5, 4, False)
    frames = [load() for load in read_frames(video)]
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 4
    assert all(frame.dtype == np.uint8 and frame.flags.c_contiguous for frame in frames)
    for frame, grey in zip(frames, greys, strict=True):
        assert frame.reshape(-1, 3).mean(axis=0) == pytest.approx([grey + 40, grey, grey], abs=6), "red first"


def test_no_picture_no_file(tmp_path: Path) -> None:
    assert VideoWriter(tmp_path / "a.mp4", tmp_path, 25.0).close() is None
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_another_size_are_scaled(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", tmp_path, 25.0)
    for shape in ((64, 96, 3), (128, 192, 3)):
        writer.write(np.full(shape, 100, np.uint8))
    writer.close()
    assert [load().shape for load in read_frames(open_video(tmp_path / "a.mp4", "a"))] == [(64, 96, 3)] * 2


def test_no_video(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(DataError, match=r"a\.mp4: cannot be opened as a video; expected a file that OpenCV's FFmpeg"):
        open_video(path, "a.mp4")
    assert "WARN" not in capfd.readouterr().err


def test_as_sources(tmp_path: Path) -> None:
    video = grey_video(tmp_path / "b.mp4", [1, 2, 3])
    other = grey_video(tmp_path / "a.mp4", [1, 2])
    sources = Sources([str(video), str(other)])
    assert sources.count == 5
    pictures = list(sources)
    assert [picture.name for picture in pictures] == [
        *(f"b.mp4/frame{number:06d}" for number in range(3)),
        *(f"a.mp4/frame{number:06d}" for number in range(2)),
    ]
    assert [(p.sequence, p.frame, p.path) for p in pictures[3:]] == [("a.mp4", 0, None), ("a.mp4", 1, None)]
    assert sources.findings() == ()
    limited = Sources([str(video), str(other)], max_frames=2)
    assert limited.count == 4
    assert [picture.frame for picture in limited] == [0, 1, 0, 1]
    assert limited.findings() == (), "ended by choice"


def test_videos_by_pattern_and_in_folders(tmp_path: Path) -> None:
    from PIL import Image

    grey_video(tmp_path / "a.mp4", [1])
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert [picture.name for picture in Sources([str(tmp_path / "a.*")])] == ["a.png", "a.mp4/frame000000"]
    folder = Sources([str(tmp_path)])
    assert [picture.name for picture in folder] == ["a.png"]
    (finding,) = folder.findings()
    assert (finding.code, finding.severity) == ("video-in-folder", "info")
    assert "video(s) in folders, which have to be named, passed over: 1." in finding.message


def test_an_unreadable_video_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    grey_video(tmp_path / "a.mp4", [1])
    (tmp_path / "b.mp4").write_bytes(b"no video")
    sources = Sources([str(tmp_path / "*.mp4")])
    assert [picture.name for picture in sources] == ["a.mp4/frame000000"]
    (finding,) = sources.findings()
    assert (finding.code, finding.severity, finding.image) == ("video-unreadable", "error", "b.mp4")


def test_a_video_that_ends_early_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    path = str(tmp_path / "a.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (96, 64))
    rng = np.random.default_rng(0)
    for _ in range(20):
        writer.write(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8))
    writer.release()
    content = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(content[: len(content) // 2])
    sources = Sources([path])
    read = sum(1 for _ in sources)
    assert 0 < read < 20
    (finding,) = sources.findings()
    assert (finding.code, finding.severity) == ("video-ends-early", "warning")
    assert f"{read} pictures could be read; its header tells of 20" in finding.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera:front", "camera:front: expected camera:0, camera:1"),
        ("camera:97", "camera:97: there is no such camera, or another program has it"),
    ],
)
def test_no_camera(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Sources([text])


def test_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the place of camera 0: everything but the device is real."""
    import cv2

    path, real = grey_video(tmp_path / "a.mp4", [10, 20, 30]), cv2.VideoCapture
    asked: list[Any] = []

    def open_camera(source: Any) -> Any:
        asked.append(source)
        return real(str(path))

    monkeypatch.setattr(cv2, "VideoCapture", open_camera)
    sources = Sources(["camera:0"])
    assert (sources.live, sources.count) == (True, None)
    assert [picture.name for picture in sources] == [f"camera0/frame{number:06d}" for number in range(3)]
    assert asked == [0, 0]
    assert sources.findings() == ()
    limited = Sources(["camera:0"], max_frames=2)
    assert (limited.live, limited.count, len(list(limited))) == (True, 2, 2)


def test_rate_of_a_camera_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    class Silent:
        def __init__(self, source: Any) -> None: ...
        def isOpened(self) -> bool:
            return True

        def get(self, what: int) -> float:
            return -1.0

        def release(self) -> None: ...

    monkeypatch.setattr(cv2, "VideoCapture", Silent)
    video = open_video(3, "camera3")
    assert (video.fps, video.frames) == (DEFAULT_FPS, None)
