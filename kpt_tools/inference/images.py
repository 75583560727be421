"""Image files as RGB arrays, whatever they are stored as."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpt_tools.errors import DataError
from kpt_tools.inference.engine import ImageRgb

if TYPE_CHECKING:
    from PIL import Image

_EXIF_ORIENTATION = 0x0112
_TURNED = range(2, 9)
_END_OF_JPEG = b"\xff\xd9"
_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def load_image(path: Path, *, upright: bool = True) -> ImageRgb:
    """Decode an image file; see `decode_image`.

    Raises:
        DataError: it is not there, not an image, truncated, or of a kind that has no plain RGB form.
    """
    try:
        encoded = Path(path).read_bytes()
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror}); expected an image. Check the file.") from exc
    return decode_image(encoded, str(path), upright=upright)


def decode_image(encoded: bytes, name: str, *, upright: bool = True) -> ImageRgb:
    """Decode an image to 8-bit RGB.

    Grey, palette and CMYK images are converted; transparent pixels are laid on white; 16-bit values are divided
    by 257; of several frames the first is taken. `kpt-tools make-tfrecord` does the same.

    Args:
        encoded: the bytes of the file.
        name: for messages.
        upright: turn the picture as its EXIF orientation says, so that it is as viewers show it; False: the
            pixels as stored.

    Returns:
        [H, W, 3] uint8, red first.

    Raises:
        DataError: not an image, truncated, or of a kind that has no plain RGB form.
    """
    if not encoded:
        raise DataError(f"{name}: the file is empty; expected an image. Replace or remove it.")
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large images, odd EXIF: what matters is raised
            with Image.open(io.BytesIO(encoded)) as picture:
                if _is_plain_jpeg(picture, encoded, upright=upright):
                    found = _by_opencv(encoded)
                    if found is not None:
                        return found
                return _decoded(picture, upright=upright)
    except UnidentifiedImageError as exc:
        raise DataError(f"{name}: not an image that can be read ({_head(encoded)}). Replace or remove it.") from exc
    except Image.DecompressionBombError as exc:
        raise DataError(f"{name}: too large to decode safely ({exc}). Scale it down.") from exc
    except Exception as exc:  # damaged files make Pillow raise nearly anything
        raise _damaged(name, exc) from exc


def decode_picture(picture: Image.Image, name: str) -> ImageRgb:
    """Convert a picture of Pillow, opened or made, as `decode_image` does; it is turned upright.

    Raises:
        DataError: truncated, or of a kind that has no plain RGB form.
    """
    try:
        return _decoded(picture, upright=True)
    except Exception as exc:  # damaged files make Pillow raise nearly anything
        raise _damaged(name, exc) from exc


def _is_plain_jpeg(picture: Image.Image, encoded: bytes, *, upright: bool) -> bool:
    """Whether it is a JPEG of three colours that stays as it lies, and whole: OpenCV does not tell if it is cut off."""
    plain = picture.format == "JPEG" and picture.mode == "RGB" and encoded.endswith(_END_OF_JPEG)
    return plain and not (upright and _orientation(picture) in _TURNED)


def _by_opencv(encoded: bytes) -> ImageRgb | None:
    """A plain JPEG, faster than by Pillow with the same pixels: libjpeg-turbo decodes for both. None: it cannot."""
    import cv2

    try:
        found = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # more pixels than it takes, for example
        return None
    return None if found is None else np.asarray(found, np.uint8)


def _decoded(picture: Image.Image, *, upright: bool) -> ImageRgb:
    picture.load()
    return np.ascontiguousarray(_to_rgb(_upright(picture) if upright else picture))


def _damaged(name: str, exc: Exception) -> DataError:
    reason = " ".join(str(exc).split()) or type(exc).__name__
    return DataError(f"{name}: cannot be decoded ({reason}). Replace or remove it.")


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture) if _orientation(picture) in _TURNED else picture


def _orientation(picture: Image.Image) -> object:
    """What its EXIF says; damaged EXIF says nothing, as in browsers."""
    try:
        return picture.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF makes Pillow raise nearly anything, and is no reason to lose the picture
        return 1


def _to_rgb(picture: Image.Image) -> ImageRgb:
    if picture.mode == "F":
        raise ValueError("its pixels are floating point numbers, whose range is unknown; expected 8 or 16 bits")
    if picture.mode.startswith("I"):
        return _from_wide(np.asarray(picture).astype(np.int64))
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        return np.asarray(_on_white(picture), dtype=np.uint8)
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"), dtype=np.uint8)


def _from_wide(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> ImageRgb:
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"its pixels run from {values.min()} to {values.max()}; expected 8 or 16 bits")
    grey = np.rint(values / 257).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def _on_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")


def _head(encoded: bytes) -> str:
    """What the first bytes look like, for people who wonder."""
    start = encoded[:64].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return "it holds HTML or XML text"
    return f"its first bytes are {encoded[:8].hex(' ')}"
