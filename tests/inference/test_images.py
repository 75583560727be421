from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kpt_tools.errors import DataError
from kpt_tools.inference.images import decode_image, load_image


def red_left_blue_right(width: int = 64, height: int = 32) -> Image.Image:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_red_comes_first(kind: str) -> None:
    rgb = decode_image(encoded(red_left_blue_right(), kind), "a")
    assert rgb.shape == (32, 64, 3)
    assert rgb.dtype == np.uint8
    np.testing.assert_allclose(rgb[16, 8], [255, 0, 0], atol=12)
    np.testing.assert_allclose(rgb[16, 56], [0, 0, 255], atol=12)


# Where the red half of the picture (left, as stored) is to be seen, by EXIF orientation.
RED_SIDE = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}


@pytest.mark.parametrize("orientation", list(RED_SIDE))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(red_left_blue_right(), "JPEG", exif=exif, quality=95)
    rgb = decode_image(data, "a")
    side = RED_SIDE[orientation]
    assert rgb.shape[:2] == ((32, 64) if side in ("left", "right") else (64, 32))
    height, width = rgb.shape[:2]
    y, x = {
        "left": (height // 2, 4),
        "right": (height // 2, -5),
        "top": (4, width // 2),
        "bottom": (-5, width // 2),
    }[side]
    np.testing.assert_allclose(rgb[y, x], [255, 0, 0], atol=12)
    assert decode_image(data, "a", upright=False).shape == (32, 64, 3)


@pytest.mark.parametrize(
    "options", [{"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"progressive": True}], ids=str
)
@pytest.mark.parametrize("size", [(64, 48), (65, 47), (1, 1)], ids=str)
def test_plain_jpegs_have_pillows_pixels(
    size: tuple[int, int], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV decodes them, in less time."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    data = encoded(Image.fromarray(pixels), "JPEG", quality=90, **options)
    found = decode_image(data, "a")
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(found, expected)
    monkeypatch.setattr("cv2.imdecode", lambda *_: None)  # where it cannot, Pillow does
    np.testing.assert_array_equal(decode_image(data, "a"), expected)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["cut off", "cut off behind a mark"])
def test_jpegs_that_are_cut_off_are_not_completed(end: bytes) -> None:
    """An embedded preview ends as a JPEG does."""
    data = encoded(red_left_blue_right(640, 480), "JPEG", comment=b"preview \xff\xd9")
    cut = data[: data.index(b"preview") + len(b"preview ")] if end else data[: len(data) // 2]
    with pytest.raises(DataError, match=r"a: (cannot be decoded|not an image)"):
        decode_image(cut + end, "a")


def test_cmyk() -> None:
    rgb = decode_image(encoded(red_left_blue_right().convert("CMYK"), "JPEG", quality=95), "a")
    np.testing.assert_allclose(rgb[16, 8], [255, 0, 0], atol=12)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey(mode: str) -> None:
    rgb = decode_image(encoded(Image.new("L", (8, 6), 255).convert(mode)), "a")
    assert rgb.shape == (6, 8, 3)
    assert (rgb == 255).all()


def test_palette() -> None:
    rgb = decode_image(encoded(red_left_blue_right().convert("P", palette=Image.Palette.ADAPTIVE)), "a")
    assert rgb[16, 8].tolist() == [255, 0, 0]


def test_transparency_is_laid_on_white() -> None:
    picture = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    picture.putpixel((0, 0), (255, 0, 0, 255))
    rgb = decode_image(encoded(picture), "a")
    assert rgb[0, 0].tolist() == [255, 0, 0]
    assert rgb[2, 2].tolist() == [255, 255, 255]


def test_palette_with_transparency() -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 200, 30])
    assert decode_image(encoded(picture, transparency=b"\xff\x00"), "a")[0, 0].tolist() == [255, 255, 255]


def test_16_bits_are_scaled() -> None:
    values = np.array([[0, 257, 65535]], np.uint16)
    rgb = decode_image(encoded(Image.fromarray(values)), "a")
    assert rgb[0].tolist() == [[0, 0, 0], [1, 1, 1], [255, 255, 255]]


def truncated_jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), "JPEG")[:900]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"hello, world", "its first bytes are 68 65 6c", id="text"),
        pytest.param(b"\n<!DOCTYPE html><html>", "it holds HTML or XML text", id="web page"),
        pytest.param(truncated_jpeg(), "cannot be decoded .*truncated", id="truncated JPEG"),
        pytest.param(encoded(red_left_blue_right())[:60], "cannot be decoded", id="truncated PNG"),
        pytest.param(
            encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF"), "floating point", id="floating point"
        ),
        pytest.param(
            encoded(Image.fromarray(np.full((2, 2), 70000, np.int32)), "TIFF"), "run from 70000 to 70000", id="32 bits"
        ),
    ],
)
def test_unusable(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"^dir/a\.jpg: .*{message}"):
        decode_image(data, "dir/a.jpg")


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="too large to decode safely"):
        decode_image(encoded(red_left_blue_right()), "a")


def test_large_image_does_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)  # Pillow warns from here to twice that
    assert decode_image(encoded(red_left_blue_right()), "a").shape == (32, 64, 3)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read .*expected an image"):
        load_image(tmp_path / "gone.jpg")


def test_file(tmp_path: Path) -> None:
    red_left_blue_right().save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png").shape == (32, 64, 3)
