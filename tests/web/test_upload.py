from __future__ import annotations

import io
import struct
import zlib

import pytest
from coco_factories import encoded
from PIL import Image

from kpt_tools.web.service import FORMATS, TooLarge, Unsupported
from kpt_tools.web.upload import check_head, clean_name


def claiming(width: int, height: int) -> bytes:
    """A PNG whose head tells of a size that its data does not have."""
    content = bytearray(encoded(format="PNG"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("kind", list(FORMATS))
def test_known_formats(kind: str) -> None:
    check_head(encoded(format=kind), "a", 64 * 48)


@pytest.mark.parametrize(
    "content",
    [b"x", b"<html></html>", b"%PDF-1.4", encoded(format="GIF"), encoded(format="PPM"), b"%!PS-Adobe-3.0 EPSF-3.0\n"],
    ids=["text", "html", "pdf", "gif", "ppm", "postscript"],
)
def test_other_files(content: bytes) -> None:
    with pytest.raises(Unsupported, match=r"a\.jpg: not a picture of a known format; expected one of JPEG, PNG"):
        check_head(content, "a.jpg", 50_000_000)


@pytest.mark.parametrize("side", [65, 8_000, 60_000, 2**31 - 1])
def test_too_many_pixels_are_refused_before_decoding(side: int) -> None:
    with pytest.raises(TooLarge, match=r"b\.png: .*pixels; expected at most 0\.004096 million"):
        check_head(claiming(side, side), "b.png", 64 * 64)


def test_the_picture_is_not_decoded() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, "PNG")
    check_head(buffer.getvalue()[:60], "c.png", 5000)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("a.jpg", "a.jpg"),
        ("C:\\fakepath\\a.jpg", "a.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nb\x1b[31m.jpg", "ab[31m.jpg"),
        ("x" * 200, "x" * 80),
        ("", "picture"),
        ("///", "picture"),
        (None, "picture"),
    ],
)
def test_names(given: str | None, clean: str) -> None:
    assert clean_name(given) == clean
