"""Many pictures on one sheet, and pictures written to files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kpt_tools.entities import KeypointLabel, LabelMap
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import atomic_open
from kpt_tools.report.draw import Font, Rgb, font_of, point_colour, text_height

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_GROUND: Rgb = (250, 250, 248)
_INK: Rgb = (40, 42, 48)
_GAP = 12
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


def contact_sheet(
    tiles: Sequence[tuple[Image.Image, str]],
    *,
    columns: int | None = None,
    tile_px: int = 320,
    legend: LabelMap | None = None,
) -> Image.Image:
    """Lay pictures out in a grid with a caption under each.

    Args:
        tiles: picture and caption; captions too long for their tile are cut.
        columns: pictures per row; None: about as many as rows, a little wider than high.
        tile_px: larger side of a picture on the sheet; smaller pictures are not blown up.
        legend: keypoint names with their colours at the foot.

    Returns:
        An RGB picture.

    Raises:
        ValueError: no tiles.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one picture")
    small = [(thumbnail(picture, tile_px), caption) for picture, caption in tiles]
    across = columns or min(len(small), max(1, math.ceil(math.sqrt(len(small) * 1.3))))
    rows = [small[i : i + across] for i in range(0, len(small), across)]
    font = font_of(max(11, tile_px // 24))
    return _Sheet(rows, font, legend).drawn()


class _Sheet:
    """The measures of a sheet, and its drawing."""

    def __init__(self, rows: list[list[tuple[Image.Image, str]]], font: Font, legend: LabelMap | None) -> None:
        self.rows, self.font = rows, font
        self.line = math.ceil(text_height(font) * 1.5)
        self.cell = max(picture.width for row in rows for picture, _ in row)
        self.heights = [max(picture.height for picture, _ in row) + self.line + _GAP for row in rows]
        self.width = len(rows[0]) * (self.cell + _GAP) + _GAP
        self.legend = _legend_lines(legend, font, self.width - 2 * _GAP)

    def drawn(self) -> Image.Image:
        """The sheet as a picture."""
        from PIL import Image, ImageDraw

        foot = len(self.legend) * self.line + _GAP if self.legend else 0
        sheet = Image.new("RGB", (self.width, sum(self.heights) + _GAP + foot), _GROUND)
        draw = ImageDraw.Draw(sheet)
        top = _GAP
        for row, height in zip(self.rows, self.heights, strict=True):
            self._row(sheet, draw, row, top + height - _GAP - self.line)
            top += height
        _draw_legend(draw, self.legend, top, self.line, self.font)
        return sheet

    def _row(
        self, sheet: Image.Image, draw: ImageDraw.ImageDraw, row: list[tuple[Image.Image, str]], bottom: int
    ) -> None:
        for column, (picture, caption) in enumerate(row):
            left = _GAP + column * (self.cell + _GAP)
            sheet.paste(picture, (left + (self.cell - picture.width) // 2, bottom - picture.height))
            text = _cut(caption, self.cell, self.font)
            draw.text((left, bottom + self.line * 0.15), text, font=self.font, fill=_INK)


def thumbnail(picture: Image.Image, side_px: int) -> Image.Image:
    """An RGB copy whose larger side is at most `side_px`."""
    copy = picture.convert("RGB") if picture.mode != "RGB" else picture.copy()
    copy.thumbnail((side_px, side_px))
    return copy


def save_picture(picture: Image.Image, path: Path, *, one_of_many: bool = False) -> Path:
    """Write a picture as JPEG or PNG, as the suffix of `path` says, atomically, and return the path.

    Args:
        picture: of any mode.
        path: the file to write.
        one_of_many: it can be made again: nobody waits until the disk has it, and a JPEG has its colours at half the
            resolution, as cameras store them, which is faster and smaller.

    Raises:
        ConfigError: another suffix, or the folder cannot be written to.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(f"{path}: pictures are written as {', '.join(_FORMATS)}; choose one of these suffixes.")
    options = {"quality": 92, "subsampling": "4:2:0" if one_of_many else "4:4:4"} if kind == "JPEG" else {}
    with atomic_open(path, durable=not one_of_many) as handle:
        (picture if picture.mode == "RGB" else picture.convert("RGB")).save(handle, format=kind, **options)
    return path


def _legend_lines(legend: LabelMap | None, font: Font, width: float) -> list[list[KeypointLabel]]:
    """The keypoints, broken into lines that fit."""
    lines: list[list[KeypointLabel]] = []
    used = width
    for keypoint in (keypoint for item in (legend.items if legend else ()) for keypoint in item.keypoints):
        need = _entry_width(keypoint.label, font)
        if used + need > width or not lines:
            lines.append([])
            used = 0.0
        lines[-1].append(keypoint)
        used += need
    return lines


def _entry_width(label: str, font: Font) -> float:
    return float(font.getlength(label)) + text_height(font) * 2.6


def _draw_legend(draw: ImageDraw.ImageDraw, lines: list[list[KeypointLabel]], top: int, line: int, font: Font) -> None:
    size = text_height(font)
    for number, keypoints in enumerate(lines):
        left, y = float(_GAP), top + number * line
        for keypoint in keypoints:
            draw.ellipse((left, y + 1, left + size, y + 1 + size), fill=point_colour(keypoint.id))
            draw.text((left + size * 1.5, y), keypoint.label, font=font, fill=_INK)
            left += _entry_width(keypoint.label, font)


def _cut(text: str, width: float, font: Font) -> str:
    """`text`, shortened in its middle until it fits."""
    if font.getlength(text) <= width:
        return text
    for keep in range(len(text) - 1, 2, -1):
        short = f"{text[: keep // 2]}...{text[len(text) - (keep - keep // 2) :]}"
        if font.getlength(short) <= width:
            return short
    return ""
