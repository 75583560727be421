"""JPEGs that need no Pillow are judged as Pillow judges them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from coco_factories import HEIGHT, WIDTH, encoded, pixels
from PIL import Image

from kpt_tools.records import image_file
from kpt_tools.records.image_bytes import ImageBytes
from kpt_tools.records.image_file import load_bytes, load_image, look_at_image
from kpt_tools.records.image_structure import Structure, jpeg_structure


def large() -> bytes:
    """A JPEG that is longer than what is read of it at first."""
    noise = Image.effect_noise((400, 300), 100).convert("RGB")
    data = encoded(noise, quality=95)
    assert len(data) > 60_000
    return data


def with_segment(marker: int, content: bytes) -> bytes:
    data = encoded()
    return data[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content + data[2:]


PLAIN: dict[str, Callable[[], bytes]] = {
    "colour": encoded,
    "grey": lambda: encoded(Image.fromarray(pixels()).convert("L")),
    "progressive": lambda: encoded(progressive=True),
    "optimised": lambda: encoded(optimize=True, quality=30),
    "restart intervals": lambda: encoded(restart_marker_blocks=2),
    "comment": lambda: with_segment(0xFE, b"hello"),
    "large": large,
}
DOUBTFUL: dict[str, Callable[[], bytes]] = {
    "exif": lambda: with_segment(0xE1, b"Exif\0\0"),
    "xmp": lambda: with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
    "colour profile": lambda: with_segment(0xE2, b"ICC_PROFILE\0\1\1"),
    "cmyk": lambda: encoded(Image.fromarray(pixels()).convert("CMYK")),
    "short JFIF": lambda: with_segment(0xE0, b"JFIF\0"),
    "unknown application": lambda: with_segment(0xE5, b"anything"),
    "bad tables": lambda: with_segment(0xDB, b"\0\1\2"),
}


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_usual_jpegs_tell_their_size_by_themselves(make: Callable[[], bytes]) -> None:
    data = make()
    with Image.open(io.BytesIO(data)) as image:
        assert jpeg_structure(ImageBytes.of(data)) == Structure(wh=image.size)


@pytest.mark.parametrize("make", DOUBTFUL.values(), ids=DOUBTFUL)
def test_others_are_left_to_pillow(make: Callable[[], bytes]) -> None:
    assert jpeg_structure(ImageBytes.of(make())).wh == (0, 0)


def judged(data: bytes, monkeypatch: pytest.MonkeyPatch, *, by_pillow: bool) -> image_file.LoadedImage:
    if by_pillow:
        known = image_file.jpeg_structure
        monkeypatch.setattr(image_file, "jpeg_structure", lambda source: _without_size(known(source)))
    try:
        return load_bytes(data, (WIDTH, HEIGHT), name="a.jpg", suffix=".jpg")
    finally:
        monkeypatch.undo()


def _without_size(found: Structure) -> Structure:
    return Structure(found.problem, found.truncated, found.plain, found.bits)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_headers_are_judged_as_pillow_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, changed = random.Random(seed), 0
    good = bytearray(encoded(progressive=bool(seed % 2)))
    headers = good.index(b"\xff\xda") + 14
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(2, headers)] = rng.choice((0, 1, 8, 0xFF, rng.randrange(256)))
        changed += data != good
        ours, pillows = (judged(bytes(data), monkeypatch, by_pillow=way) for way in (False, True))
        assert ours == pillows
    assert changed > 250


@pytest.mark.parametrize("make", [*PLAIN.values(), *DOUBTFUL.values()], ids=[*PLAIN, *DOUBTFUL])
def test_a_look_finds_what_reading_whole_files_finds(tmp_path: Path, make: Callable[[], bytes]) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(make())
    with_bytes, without = load_image(path, (0, 0)), look_at_image(path, (0, 0))
    assert without.encoded == b""
    for name in ("format", "width", "height", "moved_by", "raw_wh", "findings", "num_bytes", "upright_wh"):
        assert getattr(without, name) == getattr(with_bytes, name)


@pytest.mark.parametrize("cut", [1, 2, 100, 5000, 20_000, -3])
def test_the_end_of_a_long_file_is_looked_at(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jpg"
    data = large()
    path.write_bytes(data[:-cut] if cut > 0 else data + b"\0" * 30_000)
    codes = [found.code for found in look_at_image(path, (400, 300)).findings]
    assert codes == (["image-truncated"] if cut > 0 else [])
