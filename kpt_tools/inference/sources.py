"""Which pictures to detect in, one after the other: image files, videos, a camera, addresses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kpt_tools.entities import Finding
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import ImageRgb
from kpt_tools.inference.image_files import IMAGE_SUFFIXES, FileSearch, FoundFile
from kpt_tools.inference.images import decode_image, load_image
from kpt_tools.inference.url_images import fetch, is_url, name_of_url
from kpt_tools.inference.video import CAMERA, Video, open_video, read_frames

VIDEO_UNREADABLE = "video-unreadable"


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A picture to look at.

    Attributes:
        name: what outputs call it: a path below the folder that all inputs share, with forward slashes.
        load: gives its pixels; may be called in another thread. Raises DataError if it cannot be read.
        path: its file; None for a picture of a video, a camera or an address.
        sequence: pictures of one sequence follow each other in time: the video's name, or the folder's.
        video: the video it is from.
        frame: its number in the video, from 0.
    """

    name: str
    load: Callable[[], ImageRgb]
    path: Path | None = None
    sequence: str = ""
    video: Video | None = None
    frame: int = 0


class Sources:
    """The pictures that inputs name: image files in natural order, then videos, addresses and cameras as given.

    It can be gone through several times; folders of any size are streamed.
    """

    def __init__(self, inputs: Sequence[str], *, exclude: Path | None = None, max_frames: int | None = None) -> None:
        """Look at what the inputs name.

        A file is taken whatever its suffix; those with the suffix of a video as videos. Folders are searched with
        their sub-folders for files with an image suffix; hidden files and folders are not looked at. A pattern may
        contain ``**``; folders that it matches are searched like named ones. The order is natural (``img2`` before
        ``img10``); a file named twice counts once.

        Args:
            inputs: files, folders, glob patterns, videos, http(s) addresses of images, "camera:0".
            exclude: a folder whose files are not taken when a folder above it is searched (the output folder).
            max_frames: at most so many pictures of each video and camera.

        Raises:
            ConfigError: an input does not exist, or there is no picture at all.
        """
        self._max_frames = max_frames
        self._urls = tuple(dict.fromkeys(text for text in inputs if is_url(text)))
        cameras = tuple(dict.fromkeys(text for text in inputs if text.startswith(CAMERA)))
        files = [text for text in inputs if not is_url(text) and text not in cameras]
        self._search = FileSearch(files, exclude=exclude)
        self._lost: list[Finding] = []
        self._short: dict[str, Finding] = {}
        opened = [*map(self._video, self._search.videos), *map(_camera, cameras)]
        self.videos = tuple(video for video in opened if video is not None)
        self._images = self._search.count()
        if not (self._images or self.videos or self._urls or self._lost):
            kinds = " ".join(sorted(IMAGE_SUFFIXES))
            raise ConfigError(
                f"{', '.join(inputs)}: no image found; expected files that end in {kinds}. Check the path."
            )

    @property
    def live(self) -> bool:
        """Whether a camera is among them: what it shows comes once, and has no end unless one is set."""
        return any(video.live for video in self.videos)

    @property
    def count(self) -> int | None:
        """Number of pictures, as far as the headers of videos tell; None if there is no telling."""
        frames = [self._frames_of(video) for video in self.videos]
        return None if None in frames else self._images + len(self._urls) + sum(filter(None, frames))

    def findings(self) -> tuple[Finding, ...]:
        """What was passed over, and what was found on the way: videos that end early."""
        return (*self._search.findings(), *self._lost, *self._short.values())

    def __iter__(self) -> Iterator[SourceImage]:
        """All pictures in order."""
        for found in self._search:
            folder = PurePosixPath(found.name).parent.as_posix()
            yield SourceImage(found.name, functools.partial(load_image, found.path), found.path, folder)
        for video in self.videos:
            if not video.live:
                yield from self._pictures_of(video)
        for url in self._urls:
            name = name_of_url(url)
            yield SourceImage(name, functools.partial(_load_url, url), sequence=name)
        for video in self.videos:
            if video.live:
                yield from self._pictures_of(video)

    def _pictures_of(self, video: Video) -> Iterator[SourceImage]:
        count = 0
        for load in read_frames(video):
            yield SourceImage(f"{video.name}/frame{count:06d}", load, None, video.name, video, count)
            count += 1
            if count == self._max_frames:
                return
        if video.frames is not None and count < video.frames:
            message = (
                f"{video.source}: {count} pictures could be read; its header tells of {video.frames}. "
                "The header may be wrong, or the file damaged."
            )
            self._short[video.name] = Finding("video-ends-early", "warning", message, video.name)

    def _video(self, found: FoundFile) -> Video | None:
        try:
            return open_video(found.path, found.name)
        except DataError as exc:
            self._lost.append(Finding(VIDEO_UNREADABLE, "error", f"{exc} Passed over.", found.name))
            return None

    def _frames_of(self, video: Video) -> int | None:
        known = [count for count in (video.frames, self._max_frames) if count is not None]
        return min(known) if known else None


def _camera(text: str) -> Video:
    """The camera that "camera:0" names.

    Raises:
        ConfigError: it is not there.
    """
    number = text.removeprefix(CAMERA)
    if not number.isdecimal():
        raise ConfigError(f"{text}: expected {CAMERA}0, {CAMERA}1, ...; cameras count from 0.")
    try:
        return open_video(int(number), f"camera{number}")
    except DataError as exc:
        raise ConfigError(str(exc)) from exc


def _load_url(url: str) -> ImageRgb:
    return decode_image(fetch(url), url.partition("?")[0])
