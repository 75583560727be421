"""Image files as RGB arrays, whatever they are stored as."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kpt_tools.errors import DataError
from kpt_tools.inference.engine import ImageRgb

if TYPE_CHECKING:
    from PIL import Image

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = 1


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded image.

    Attributes:
        rgb: [H, W, 3] uint8, red first.
        rotated: whether the EXIF orientation turned or mirrored the stored pixels.
    """

    rgb: ImageRgb
    rotated: bool

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of `rgb`."""
        return self.rgb.shape[1], self.rgb.shape[0]


def load_image(path: Path, *, upright: bool = True) -> LoadedImage:
    """Decode an image file; see `decode_image`.

    Raises:
        DataError: it is not there, not an image, truncated, or of a kind that has no plain RGB form.
    """
    try:
        encoded = Path(path).read_bytes()
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror}); expected an image. Check the file.") from exc
    return decode_image(encoded, str(path), upright=upright)


def decode_image(encoded: bytes, name: str, *, upright: bool = True) -> LoadedImage:
    """Decode an image to 8-bit RGB.

    Gray, palette and CMYK images are converted; alpha is dropped, as TensorFlow's decoder does it; of 16 bits
    the upper 8 are kept; of several frames the first is taken.

    Args:
        encoded: the bytes of the file.
        name: for messages.
        upright: turn the picture as its EXIF orientation says, so that it is as viewers show it; False: the
            pixels as stored.

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
                picture.load()
                return _converted(picture, upright=upright)
    except UnidentifiedImageError as exc:
        raise DataError(f"{name}: not an image that can be read ({_head(encoded)}). Replace or remove it.") from exc
    except Image.DecompressionBombError as exc:
        raise DataError(f"{name}: too large to decode safely ({exc}). Scale it down.") from exc
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as exc:
        raise DataError(f"{name}: damaged image ({exc}). Replace or remove it.") from exc


def _converted(picture: Image.Image, *, upright: bool) -> LoadedImage:
    from PIL import ImageOps

    rotated = upright and picture.getexif().get(_EXIF_ORIENTATION, _UPRIGHT) in range(2, 9)
    turned = ImageOps.exif_transpose(picture) if rotated else picture
    return LoadedImage(np.ascontiguousarray(_to_rgb(turned)), rotated)


def _to_rgb(picture: Image.Image) -> ImageRgb:
    if picture.mode == "F":
        raise ValueError("its pixels are floating point numbers, whose range is unknown; expected 8 or 16 bits")
    if picture.mode.startswith("I"):
        wide = np.asarray(picture).astype(np.int64)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise ValueError(f"its pixels run from {wide.min()} to {wide.max()}; expected 8 or 16 bits")
        gray = (wide >> 8).astype(np.uint8)
        return np.repeat(gray[:, :, np.newaxis], 3, axis=2)
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")  # palettes with transparency have no direct way to RGB
    return np.asarray(picture.convert("RGB"), dtype=np.uint8)


def _head(encoded: bytes) -> str:
    """What the first bytes look like, for people who wonder."""
    start = encoded[:64].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return "it holds HTML or XML text"
    return f"its first bytes are {encoded[:8].hex(' ')}"
