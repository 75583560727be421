"""Pixels of any Pillow mode as 8-bit grey or RGB, at the size and in the format of a record."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_GREY_MODES = frozenset({"1", "L"})


def to_8_bit(image: Image.Image) -> Image.Image:
    """An image of mode "L" or "RGB" without metadata.

    16-bit values are divided by 257, so 65535 becomes 255. Transparency is laid on white, which is what annotation
    tools in a browser show.

    Args:
        image: decoded, of any mode but floating point.

    Raises:
        ValueError: floating-point pixels, or whole numbers beyond 16 bits.
    """
    if image.mode.startswith("I"):
        image = _scaled(image)
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    elif image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = _on_white(image)
    elif image.mode in _GREY_MODES:
        image = image.convert("L")
    elif image.mode != "RGB":
        image = image.convert("RGB")
    image.info = {}
    return image


def _scaled(image: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ValueError("pixel values beyond 16 bits have no agreed range")
    return Image.fromarray(np.rint(values / 257.0).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB")


def draft(image: Image.Image, longer_px: int) -> None:
    """Let a JPEG be decoded at a fraction of its size, but at twice what is wanted, so that nothing is lost of it."""
    scale = 2 * longer_px / max(image.size)
    if scale < 1:
        image.draft(image.mode, (round(image.width * scale), round(image.height * scale)))


def resized(image: Image.Image, wh: tuple[int, int]) -> Image.Image:
    """A picture of another width and height in pixels."""
    from PIL import Image

    return image if image.size == wh else image.resize(wh, Image.Resampling.LANCZOS)


def encode(image: Image.Image, kind: str) -> bytes:
    """As JPEG (quality 95, no chroma subsampling) if `kind` is "jpeg", else as PNG."""
    buffer = io.BytesIO()
    if kind == "jpeg":
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
