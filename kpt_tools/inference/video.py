"""Videos and cameras as pictures, one after the other, and videos of annotated pictures; by OpenCV."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kpt_tools.errors import DataError, KptToolsError
from kpt_tools.fsio import make_folder
from kpt_tools.inference.engine import ImageRgb
from kpt_tools.lazy import require

CAMERA = "camera:"
DEFAULT_FPS = 25.0
"""For what does not tell its own."""

_PURPOSE = "reading and writing videos"
_CODEC = "mp4v"
_FFMPEG_QUIET = "-8"
_MOST_FPS = 1000.0
_BAD_COUNT = 10_000_000


@dataclass(frozen=True, slots=True)
class Video:
    """A video file or a camera.

    Attributes:
        name: what outputs call it.
        source: the file, or the number of the camera.
        fps: pictures per second.
        frames: how many there are, as far as its header tells; None for a camera, and where it does not.
    """

    name: str
    source: Path | int
    fps: float = DEFAULT_FPS
    frames: int | None = None

    @property
    def live(self) -> bool:
        """Whether it is a camera."""
        return isinstance(self.source, int)


def open_video(source: Path | int, name: str) -> Video:
    """Look at the header of a video, or ask a camera for its rate.

    Raises:
        DataError: it cannot be opened.
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = require("cv2", purpose=_PURPOSE)
    with _opened(cv2, source) as capture:
        fps, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    fps = fps if 0.0 < fps <= _MOST_FPS else DEFAULT_FPS
    counted = isinstance(source, Path) and 0 < frames < _BAD_COUNT
    return Video(name, source, fps, int(frames) if counted else None)


def read_frames(video: Video) -> Iterator[Callable[[], ImageRgb]]:
    """The pictures of a video in order, each as a function that gives it as [H, W, 3] uint8, red first.

    The function converts colours; it may be called in another thread. A camera gives pictures until it is stopped.

    Raises:
        DataError: it cannot be opened.
    """
    cv2 = require("cv2", purpose=_PURPOSE)
    with _opened(cv2, video.source) as capture:
        while True:
            ok, frame = capture.read()
            if not ok:
                return
            yield functools.partial(cv2.cvtColor, frame, cv2.COLOR_BGR2RGB)


@contextlib.contextmanager
def _opened(cv2: ModuleType, source: Path | int) -> Iterator[Any]:
    """An open `cv2.VideoCapture`; OpenCV's own complaints on stderr are held back."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        opened = capture.isOpened()
    finally:
        logging.setLogLevel(level)
    try:
        if not opened:
            raise DataError(_cannot_open(source))
        yield capture
    finally:
        capture.release()


def _cannot_open(source: Path | int) -> str:
    if isinstance(source, int):
        return f"{CAMERA}{source}: there is no such camera, or another program has it. Cameras count from 0."
    return f"{source}: cannot be opened as a video; expected a file that OpenCV's FFmpeg can decode. Convert it to MP4."


class VideoWriter:
    """Writes pictures of one size as an MP4 file (codec mp4v), which appears when it is complete."""

    def __init__(self, path: Path, scratch: Path, fps: float) -> None:
        """Nothing is written before the first picture.

        Args:
            path: the file to make; its folders are made, too.
            scratch: a folder on the same file system for the file while it grows.
            fps: pictures per second.
        """
        self.path, self.fps = path, fps
        self._growing = scratch / f"{len(os.listdir(scratch))}.mp4"
        self._size = (0, 0)
        self._writer: Any = None

    def write(self, image: ImageRgb) -> None:
        """Append a picture, [H, W, 3] uint8, red first; one of another size is scaled to that of the first.

        Raises:
            KptToolsError: OpenCV cannot write it.
        """
        cv2 = require("cv2", purpose=_PURPOSE)
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = cv2.VideoWriter(str(self._growing), cv2.VideoWriter_fourcc(*_CODEC), self.fps, self._size)
            if not self._writer.isOpened():
                raise KptToolsError(f"{self.path}: OpenCV cannot write videos here. Leave them out with --no-images.")
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> Path | None:
        """Finish the file and move it into place; None if there was no picture."""
        if self._writer is None:
            return None
        self._writer.release()
        self._writer = None
        make_folder(self.path.parent)
        self._growing.replace(self.path)
        return self.path
