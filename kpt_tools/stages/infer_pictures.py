"""What `infer` draws: annotated pictures and videos, and a contact sheet of pictures evenly over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Finding, ModelMetadata, Prediction
from kpt_tools.inference.engine import ImageRgb
from kpt_tools.inference.sources import SourceImage
from kpt_tools.inference.video import Video, VideoWriter

if TYPE_CHECKING:
    from PIL import Image

PICTURES_NAME = "pictures"
VIDEOS_NAME = "videos"
SHEET_NAME = "contact_sheet.jpg"
SHEET_PICTURES = 24
SHEET_TILE_PX = 400


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn on one picture: a frame for the video, a tile for the contact sheet."""

    frame: ImageRgb | None = None
    tile: Image.Image | None = None


class Pictures:
    """Draws on pictures and puts them where they belong."""

    def __init__(
        self, config: InferConfig, metadata: ModelMetadata, total: int | None, scratch: Path, begin_ns: int
    ) -> None:
        """Nothing is written before the first picture.

        Args:
            config: the settings.
            metadata: classes and keypoints.
            total: number of pictures; None: unknown.
            scratch: a folder for files while they grow, on the file system of the outputs.
            begin_ns: when the run was started first; older files are of earlier runs.
        """
        self.config, self.metadata, self.scratch, self.begin_ns = config, metadata, scratch, begin_ns
        self.sheet = ContactSheet(SHEET_PICTURES if config.contact_sheet else 0, total)
        self.videos: list[Path] = []
        self._video: Video | None = None
        self._writer: VideoWriter | None = None
        self._complete = False

    def wanted(self, number: int, image: SourceImage, *, again: bool = False) -> bool:
        """Whether the pixels of the `number`-th picture are needed for drawing.

        Args:
            number: its position, from 0.
            image: the picture.
            again: what was found in it was written in an earlier part of this run, and so was its annotated picture.
        """
        if self.sheet.wants(number):
            return True
        if self.config.no_images:
            return False
        return not (again and (image.video is None or self._is_new(self._video_path(image.video))))

    def draw(self, number: int, image: SourceImage, rgb: ImageRgb, prediction: Prediction) -> Drawn:
        """Draw what is wanted, and write the annotated picture; may run in another thread."""
        from PIL import Image

        from kpt_tools.report.contact_sheet import save_picture, thumbnail
        from kpt_tools.report.draw import draw_prediction, resized

        picture = Image.fromarray(rgb)
        threshold = self.config.min_keypoint_score
        frame = tile = None
        if self.sheet.wants(number):
            small = thumbnail(picture, SHEET_TILE_PX)
            tile = draw_prediction(small, resized(prediction, small.size), self.metadata, threshold, in_place=True)
        if not self.config.no_images:
            drawn = draw_prediction(picture, prediction, self.metadata, threshold, in_place=True)
            if image.video is None:
                save_picture(drawn, self.config.out / PICTURES_NAME / picture_name(image.name), one_of_many=True)
            else:
                frame = np.asarray(drawn)
        return Drawn(frame, tile)

    def take(self, number: int, image: SourceImage, drawn: Drawn | None) -> None:
        """Put what was drawn in its place; call it for all pictures in order, also for those that were not drawn."""
        if image.video != self._video:
            self.close()
            self._video = image.video
            self._complete = image.video is not None and self._is_new(self._video_path(image.video))
        if drawn is None:
            return
        if drawn.tile is not None:
            self.sheet.add(number, drawn.tile, image.name)
        if drawn.frame is not None and image.video is not None and not self._complete:
            if self._writer is None:
                self._writer = VideoWriter(self._video_path(image.video), self.scratch, image.video.fps)
            self._writer.write(drawn.frame)

    def close(self) -> None:
        """Finish the video that is being written, if any."""
        path = self._writer.close() if self._writer else None
        if path is not None:
            self.videos.append(path)
        self._writer = None

    def write_sheet(self) -> Path | None:
        """Write the contact sheet, if one was asked for and there is anything to show."""
        if not self.sheet.tiles:
            return None
        from kpt_tools.report.contact_sheet import contact_sheet, save_picture

        tiles = [(tile, name) for _, tile, name in self.sheet.tiles]
        sheet = contact_sheet(tiles, tile_px=SHEET_TILE_PX, legend=self.metadata.label_map)
        return save_picture(sheet, self.config.out / SHEET_NAME)

    def older(self, *others: Path) -> Finding | None:
        """Which files of an earlier run lie among those of this one; they are left alone."""
        out = self.config.out
        folders = (path for name in (PICTURES_NAME, VIDEOS_NAME) for path in _files_below(out / name))
        count, first = 0, None
        for path in (out / SHEET_NAME, *others, *folders):
            if path.is_file() and not self._is_new(path):
                count += 1
                first = first or path
        if first is None:
            return None
        message = (
            f"{out}: {count} files of an earlier run lie among those of this one, first "
            f"{first.relative_to(out).as_posix()}. Remove them, or choose another --out."
        )
        return Finding("older-outputs", "warning", message)

    def _video_path(self, video: Video) -> Path:
        name = video.name if video.name.lower().endswith(".mp4") else f"{video.name}.mp4"
        return self.config.out / VIDEOS_NAME / name

    def _is_new(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_mtime_ns >= self.begin_ns


class ContactSheet:
    """Chooses pictures for a contact sheet, evenly over all, and holds them small.

    If nobody knows how many pictures will come, every one is taken, then every second, every fourth ... so that there
    are never more than twice as many as wanted.
    """

    def __init__(self, most: int, total: int | None) -> None:
        """Choose by position.

        Args:
            most: at most so many; 0: none.
            total: number of pictures; None: unknown.
        """
        count = min(most, total or 0)
        self.most, self.total, self._step = most, total, 1
        self._chosen = {index * (total or 0) // count for index in range(count)}
        self.tiles: list[tuple[int, Image.Image, str]] = []

    def wants(self, number: int) -> bool:
        """Whether the `number`-th picture is one of them."""
        return number in self._chosen if self.total is not None else self.most > 0 and number % self._step == 0

    def add(self, number: int, tile: Image.Image, name: str) -> None:
        """Take a small picture."""
        if not self.wants(number):  # asked for when the step was shorter
            return
        self.tiles.append((number, tile, name))
        if len(self.tiles) > self.most:
            self._step *= 2
            self.tiles = [tile for tile in self.tiles if tile[0] % self._step == 0]


def picture_name(name: str) -> str:
    """Name of the annotated picture: that of the image, with ".jpg" behind it unless it has that already."""
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def _files_below(folder: Path) -> Iterator[Path]:
    """Files of a folder and those below, without holding all names."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(Path(entry.path))
            else:
                yield Path(entry.path)
