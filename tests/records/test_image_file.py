from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_factories import HEIGHT, WIDTH, encoded, pixels
from PIL import Image

from kpt_tools.records.image_file import load_image, look_at_image

RGB = pixels()


def rgb() -> Image.Image:
    return Image.fromarray(RGB)


def sixteen_bit() -> Image.Image:
    return Image.fromarray(RGB[:, :, 0].astype(np.uint16) * 257)


def translucent(alpha: int) -> Image.Image:
    image = rgb().convert("RGBA")
    image.putalpha(alpha)
    return image


def rotated(orientation: int, format: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(rgb(), format, exif=exif)


def animated(format: str) -> bytes:
    return encoded(rgb(), format, save_all=True, append_images=[Image.fromarray(pixels(seed=1))])


def huge_png() -> bytes:
    """A header that promises 400 megapixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    pixel_data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel_data) + chunk(b"IEND", b"")


def damaged_png() -> bytes:
    data = bytearray(encoded(format="PNG"))
    data[60] ^= 0xFF
    return bytes(data)


def write(folder: Path, data: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "name", "format"),
    [
        (encoded(), "a.jpg", "jpeg"),
        (encoded(progressive=True), "a.JPEG", "jpeg"),
        (encoded(rgb().convert("L")), "a.jpg", "jpeg"),
        (encoded(format="PNG"), "a.png", "png"),
        (encoded(rgb().convert("L"), "PNG"), "a.png", "png"),
        (encoded() + b"appended by the phone", "a.jpg", "jpeg"),
        (rotated(1, "JPEG"), "a.jpg", "jpeg"),
    ],
    ids=["jpeg", "progressive", "grey jpeg", "png", "grey png", "trailing bytes", "upright exif"],
)
@pytest.mark.parametrize("verify", ["structure", "full"])
def test_good_files_are_stored_untouched(tmp_path: Path, data: bytes, name: str, format: str, verify: Any) -> None:
    loaded = load_image(write(tmp_path, data, name), (WIDTH, HEIGHT), verify=verify)
    assert loaded.findings == ()
    assert loaded.encoded == data
    assert (loaded.format, loaded.width, loaded.height, loaded.moved_by) == (format, WIDTH, HEIGHT, 1)


# name: (bytes, file name, expected codes)
LOST: dict[str, tuple[Callable[[], bytes], str]] = {
    "image-empty-file": (lambda: b"", "a.jpg"),
    "image-truncated": (lambda: encoded()[:-200], "a.jpg"),
    "image-truncated, only headers": (lambda: encoded()[:20], "a.jpg"),
    "image-truncated, end marker gone": (lambda: encoded()[:-2], "a.jpg"),
    "image-truncated, zero-filled": (lambda: encoded()[:-200] + b"\0" * 200, "a.jpg"),
    "image-truncated, png": (lambda: encoded(format="PNG")[:-30], "a.png"),
    "image-truncated, bmp": (lambda: encoded(format="BMP")[:-200], "a.bmp"),
    "image-undecodable": (lambda: b"<html>404</html>", "a.jpg"),
    "image-undecodable, damaged png": (damaged_png, "a.png"),
    "image-undecodable, zeros": (lambda: b"\0" * 4096, "a.jpg"),
    "image-undecodable, segment": (lambda: b"\xff\xd8\xff\xe0\x00\x04\x00\x00oops", "a.jpg"),
    "image-undecodable, floats": (lambda: encoded(Image.fromarray(RGB[:, :, 0].astype(np.float32)), "TIFF"), "a.tif"),
    "image-too-large": (huge_png, "a.png"),
    "image-size-mismatch": (lambda: encoded(Image.fromarray(pixels(32, 32))), "a.jpg"),
    "image-size-mismatch, turned": (lambda: encoded(Image.fromarray(pixels(HEIGHT, WIDTH))), "a.jpg"),
}


@pytest.mark.parametrize(("make", "name"), LOST.values(), ids=LOST)
def test_unusable_files_are_one_error(
    tmp_path: Path, make: Callable[[], bytes], name: str, request: pytest.FixtureRequest
) -> None:
    loaded = load_image(write(tmp_path, make(), name), (WIDTH, HEIGHT), name=name)
    expected = request.node.callspec.id.partition(",")[0]
    codes = [f.code for f in loaded.findings if f.severity == "error"]
    assert codes == [expected]
    assert not loaded.usable
    assert all(f.message.startswith(f"{name}: ") and "\n" not in f.message for f in loaded.findings)


def test_missing_file_and_folder_are_findings(tmp_path: Path) -> None:
    assert [f.code for f in load_image(tmp_path / "a.jpg", (1, 1)).findings] == ["image-missing"]
    assert [f.code for f in load_image(tmp_path, (1, 1)).findings] == ["image-unreadable"]


def test_damage_inside_is_found_by_full_verification_only(tmp_path: Path) -> None:
    data = encoded(format="PNG")
    start = data.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", data, start - 8)
    body = data[start : start + length // 2]
    chunk = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    path = write(tmp_path, data[: start - 8] + chunk + data[start + length + 4 :], "a.png")
    assert load_image(path, (WIDTH, HEIGHT)).findings == ()
    (found,) = load_image(path, (WIDTH, HEIGHT), verify="full").findings
    assert found.code in ("image-truncated", "image-undecodable")


CONVERTED: dict[str, tuple[Callable[[], bytes], str, list[str], str, Callable[[], np.ndarray]]] = {
    "cmyk": (lambda: encoded(rgb().convert("CMYK")), "a.jpg", ["image-cmyk"], "jpeg", lambda: RGB),
    "16 bit": (lambda: encoded(sixteen_bit(), "PNG"), "a.png", ["image-16-bit"], "png", lambda: RGB[:, :, 0]),
    "palette": (lambda: encoded(rgb().quantize(64), "PNG"), "a.png", ["image-palette"], "png",
                lambda: np.asarray(rgb().quantize(64).convert("RGB"))),
    "opaque alpha": (lambda: encoded(translucent(255), "PNG"), "a.png", ["image-alpha-opaque"], "png", lambda: RGB),
    "transparent": (lambda: encoded(translucent(0), "PNG"), "a.png", ["image-alpha"], "png",
                    lambda: np.full_like(RGB, 255)),
    "bmp": (lambda: encoded(format="BMP"), "a.bmp", ["image-format-converted"], "png", lambda: RGB),
    "tiff": (lambda: encoded(format="TIFF"), "a.tif", ["image-format-converted"], "png", lambda: RGB),
    "webp": (lambda: encoded(format="WEBP", lossless=True), "a.webp", ["image-format-converted"], "png", lambda: RGB),
    "gif": (lambda: encoded(rgb().quantize(64), "GIF"), "a.gif", ["image-format-converted"], "png",
            lambda: np.asarray(rgb().quantize(64).convert("RGB"))),
    "animated webp": (lambda: encoded(format="WEBP", lossless=True, save_all=True,
                                      append_images=[Image.fromarray(pixels(seed=1))]), "a.webp",
                      ["image-format-converted", "image-animated"], "png", lambda: RGB),
    "pages of a tiff": (lambda: animated("TIFF"), "a.tiff", ["image-format-converted", "image-animated"], "png",
                        lambda: RGB),
    "webp called jpg": (lambda: encoded(format="WEBP", lossless=True), "a.jpg",
                        ["image-extension", "image-format-converted"], "png", lambda: RGB),
}  # fmt: skip


@pytest.mark.parametrize(("make", "name", "codes", "format", "expected"), CONVERTED.values(), ids=CONVERTED)
def test_what_tensorflow_reads_wrongly_is_stored_anew(
    tmp_path: Path, make: Callable[[], bytes], name: str, codes: list[str], format: str,
    expected: Callable[[], np.ndarray],
) -> None:  # fmt: skip
    path = write(tmp_path, make(), name)
    loaded = load_image(path, (WIDTH, HEIGHT))
    assert [f.code for f in loaded.findings] == codes
    assert loaded.format == format
    found = decoded(loaded.encoded).astype(int)
    assert found.shape == expected().shape
    assert np.abs(found - expected()).mean() < (6 if format == "jpeg" else 0.01)
    probed = load_image(path, (WIDTH, HEIGHT), encode=False)
    assert probed.findings == loaded.findings
    assert probed.encoded == path.read_bytes()


def test_png_called_jpg_is_kept_and_told(tmp_path: Path) -> None:
    data = encoded(format="PNG")
    loaded = load_image(write(tmp_path, data, "a.jpg"), (WIDTH, HEIGHT))
    assert [f.code for f in loaded.findings] == ["image-extension"]
    assert (loaded.encoded, loaded.format) == (data, "png")


def test_animated_png_keeps_its_bytes(tmp_path: Path) -> None:
    data = animated("PNG")
    loaded = load_image(write(tmp_path, data, "a.png"), (WIDTH, HEIGHT))
    assert [f.code for f in loaded.findings] == ["image-animated"]
    assert loaded.encoded == data


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation_is_stored_upright(tmp_path: Path, format: str, orientation: int) -> None:
    path = write(tmp_path, rotated(orientation, format), f"a.{format.lower()}")
    loaded = load_image(path, (WIDTH, HEIGHT))
    assert "image-exif-rotated" in [f.code for f in loaded.findings]
    assert loaded.moved_by == orientation
    assert loaded.raw_wh == (WIDTH, HEIGHT)
    turned = {2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1], 5: RGB.swapaxes(0, 1),
              6: np.rot90(RGB, -1), 7: np.rot90(RGB, 2).swapaxes(0, 1), 8: np.rot90(RGB)}[orientation]  # fmt: skip
    found = decoded(loaded.encoded).astype(int)
    assert (loaded.height, loaded.width) == found.shape[:2] == turned.shape[:2]
    assert np.abs(found - turned).mean() < (3 if format == "JPEG" else 0.01)
    assert not Image.open(io.BytesIO(loaded.encoded)).getexif()


def test_size_of_the_upright_picture_means_upright_coordinates(tmp_path: Path) -> None:
    loaded = load_image(write(tmp_path, rotated(6, "JPEG"), "a.jpg"), (HEIGHT, WIDTH))
    assert (loaded.moved_by, loaded.width, loaded.height) == (1, HEIGHT, WIDTH)
    assert "upright already" in loaded.findings[0].message


def test_unknown_size_is_taken_from_the_file(tmp_path: Path) -> None:
    loaded = load_image(write(tmp_path, encoded(), "a.jpg"), (0, 0))
    assert (loaded.width, loaded.height, loaded.findings) == (WIDTH, HEIGHT, ())


def test_nonsense_orientation_is_upright(tmp_path: Path) -> None:
    assert load_image(write(tmp_path, rotated(42, "JPEG"), "a.jpg"), (WIDTH, HEIGHT)).findings == ()


def test_16_bit_full_range_becomes_8_bit_full_range(tmp_path: Path) -> None:
    ramp = np.array([[0, 128, 129, 32768, 65535]], np.uint16)
    path = write(tmp_path, encoded(Image.fromarray(ramp), "PNG"), "a.png")
    assert decoded(load_image(path, (5, 1)).encoded).tolist() == [[0, 0, 1, 128, 255]]


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("verify", ["structure", "full"])
def test_large_pictures_are_stored_reduced(tmp_path: Path, format: str, verify: Any) -> None:
    large = pixels(320, 160)
    path = write(tmp_path, encoded(Image.fromarray(large), format), f"a.{format.lower()}")
    loaded = load_image(path, (320, 160), verify=verify, max_side=40)
    assert (loaded.width, loaded.height, loaded.upright_wh, loaded.raw_wh) == (40, 20, (320, 160), (320, 160))
    assert loaded.reduced
    assert loaded.findings == ()
    expected = np.asarray(Image.fromarray(large).resize((40, 20), Image.Resampling.LANCZOS)).astype(int)
    found = decoded(loaded.encoded).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 2
    looked = look_at_image(path, (320, 160), verify=verify, max_side=40)
    assert looked == replace(loaded, encoded=b"")


def test_pictures_are_never_enlarged(tmp_path: Path) -> None:
    data = encoded()
    loaded = load_image(write(tmp_path, data, "a.jpg"), (WIDTH, HEIGHT), max_side=WIDTH)
    assert (loaded.encoded, loaded.width, loaded.height, loaded.reduced) == (data, WIDTH, HEIGHT, False)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_pictures_are_reduced_upright(tmp_path: Path, orientation: int) -> None:
    path = write(tmp_path, rotated(orientation, "JPEG"), "a.jpg")
    whole, small = (load_image(path, (WIDTH, HEIGHT), max_side=side) for side in (None, 32))
    assert small.moved_by == whole.moved_by == orientation
    assert (small.width, small.height) == (whole.width // 2, whole.height // 2)
    size = small.width, small.height
    expected = np.asarray(Image.open(io.BytesIO(whole.encoded)).resize(size, Image.Resampling.BOX))
    assert np.abs(decoded(small.encoded).astype(int) - expected).mean() < 6


def test_threads_leave_the_warnings_as_they_were(tmp_path: Path) -> None:
    path = write(tmp_path, rotated(6, "JPEG"), "a.jpg")
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: load_image(path, (WIDTH, HEIGHT)), range(40)))
    assert len(set(found)) == 1
    assert warnings.filters == before
