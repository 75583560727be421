from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError
from kpt_tools.report.contact_sheet import contact_sheet, save_picture, thumbnail


def tiles(count: int) -> list[tuple[Image.Image, str]]:
    return [(Image.new("RGB", (640, 480), (200, 20 * i % 256, 0)), f"picture {i}.jpg") for i in range(count)]


def legend(count: int) -> LabelMap:
    return LabelMap((LabelMapItem(1, "a", tuple(KeypointLabel(i, f"point_{i}", f"p{i}") for i in range(count))),))


@pytest.mark.parametrize(
    ("count", "columns", "across", "down"),
    [
        pytest.param(1, None, 1, 1, id="one"),
        pytest.param(6, None, 3, 2, id="six"),
        pytest.param(24, None, 6, 4, id="full"),
        pytest.param(5, 2, 2, 3, id="columns given"),
        pytest.param(2, 5, 2, 1, id="more columns than pictures"),
    ],
)
def test_grid(count: int, columns: int | None, across: int, down: int) -> None:
    sheet = contact_sheet(tiles(count), columns=columns, tile_px=160)
    assert sheet.width == across * (160 + 12) + 12
    assert down * 120 < sheet.height < down * 165 + 12
    without_blue = sheet.getchannel("B").histogram()[0]  # the pictures have none, ground and ink have some
    assert without_blue == count * 160 * 120


def test_legend_makes_room_and_breaks_lines() -> None:
    without = contact_sheet(tiles(2), tile_px=160)
    few = contact_sheet(tiles(2), tile_px=160, legend=legend(2))
    many = contact_sheet(tiles(2), tile_px=160, legend=legend(17))
    assert without.height < few.height < many.height
    assert without.width == few.width == many.width


def test_long_caption_is_cut() -> None:
    short = contact_sheet([(tiles(1)[0][0], "x")], tile_px=160)
    long = contact_sheet([(tiles(1)[0][0], "a very long name " * 20)], tile_px=160)
    assert short.size == long.size
    right_edge = long.crop((173, 0, long.width, long.height))
    assert ImageChops.difference(right_edge, Image.new("RGB", right_edge.size, (250, 250, 248))).getbbox() is None


def test_empty_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])


def test_thumbnail_is_never_larger() -> None:
    assert thumbnail(Image.new("L", (100, 50)), 320).size == (100, 50)
    assert thumbnail(Image.new("L", (1000, 500)), 320).size == (320, 160)


@pytest.mark.parametrize("name", ["a.jpg", "b.JPEG", "sub/c.png"])
def test_save(tmp_path: Path, name: str) -> None:
    save_picture(tiles(1)[0][0].convert("RGBA"), tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        assert (picture.size, picture.mode) == ((640, 480), "RGB")
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_save_refuses_other_suffixes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.gif: pictures are written as \.jpg"):
        save_picture(tiles(1)[0][0], tmp_path / "a.gif")
