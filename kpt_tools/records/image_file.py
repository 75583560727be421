"""One image file: is it what the JSON says, and what goes into the record.

Good JPEG and PNG bytes go in untouched. What TensorFlow would decode wrongly or not at all is stored anew:
JPEG as JPEG (quality 95, no chroma subsampling), everything else as PNG.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.orientation import upright_size
from kpt_tools.annotations.scaling import reduced_size
from kpt_tools.entities import Finding
from kpt_tools.records.image_bytes import ImageBytes
from kpt_tools.records.image_structure import SUFFIX_FORMAT, Structure, jpeg_structure, png_structure, sniff
from kpt_tools.records.pixels import draft, encode, resized, to_8_bit

if TYPE_CHECKING:
    from PIL import Image

Verify = Literal["structure", "full"]

# Pillow's own alarm is at half of this; panoramas and drone pictures reach it honestly.
MAX_PIXELS = 178_956_970
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000")
_TIFF_WIDTH_TAG, _TIFF_HEIGHT_TAG, _ORIENTATION_TAG = 0x0100, 0x0101, 0x0112


@dataclass(frozen=True)
class LoadedImage:
    """An image ready for a record.

    Attributes:
        encoded: the bytes to store; empty if the image cannot be used, or was only looked at.
        format: "jpeg" or "png".
        width: of the upright picture as it is stored, in pixels.
        height: of the upright picture as it is stored, in pixels.
        moved_by: EXIF orientation that the annotated coordinates must be moved by; 1 where they already fit.
        raw_wh: width and height of the pixels as they lie in the file.
        findings: what was found.
        num_bytes: size of its file; 0 if the image cannot be used.
        upright_wh: width and height of the upright picture before it was reduced.
        plain_mtime_ns: when the file was last changed, if it is a JPEG that plainly goes in as it is; else 0.
    """

    encoded: bytes = b""
    format: str = "jpeg"
    width: int = 0
    height: int = 0
    moved_by: int = 1
    raw_wh: tuple[int, int] = (0, 0)
    findings: tuple[Finding, ...] = ()
    num_bytes: int = 0
    upright_wh: tuple[int, int] = (0, 0)
    plain_mtime_ns: int = 0

    @property
    def usable(self) -> bool:
        """Whether it can go into a record."""
        return self.num_bytes > 0

    @property
    def reduced(self) -> bool:
        """Whether it is stored smaller than it is."""
        return self.upright_wh != (self.width, self.height)


class _Unusable(Exception):
    """Carries the finding that ends the work on an image; never leaves this module."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def load_image(
    path: Path,
    expected_wh: tuple[int, int],
    *,
    name: str = "",
    verify: Verify = "structure",
    encode: bool = True,
    max_side: int | None = None,
) -> LoadedImage:
    """Read, check and, where needed, convert one image file. Never raises for what the file holds.

    Args:
        path: the file.
        expected_wh: width and height in the JSON; ``(0, 0)`` if unknown.
        name: what messages call it; its path by default.
        verify: "structure" trusts whole headers, "full" decodes every pixel.
        encode: False leaves the last step out (converting): `encoded` then holds the file's own bytes.
        max_side: the longer side of the stored picture at most, in pixels; None: as it is.
    """
    how = _How(expected_wh, name or str(path), path.suffix.lower(), verify, encode, True, max_side)
    return _load(lambda: ImageBytes(path, whole=True), how)


def unchanged_jpeg(path: Path, num_bytes: int, mtime_ns: int, wh: tuple[int, int]) -> LoadedImage | None:
    """A JPEG that was looked at before and plainly goes in as it is; None if it is not the same file any more.

    Args:
        path: the file.
        num_bytes: its size then.
        mtime_ns: its `LoadedImage.plain_mtime_ns` then.
        wh: its width and height.
    """
    try:
        source = ImageBytes(path, whole=True)
    except OSError:  # `load_image` tells why
        return None
    if (source.size, source.mtime_ns) != (num_bytes, mtime_ns):
        return None
    return LoadedImage(source.head, "jpeg", *wh, raw_wh=wh, num_bytes=num_bytes, upright_wh=wh, plain_mtime_ns=mtime_ns)


def look_at_image(
    path: Path,
    expected_wh: tuple[int, int],
    *,
    name: str = "",
    verify: Verify = "structure",
    max_side: int | None = None,
) -> LoadedImage:
    """Check one image file, and read of it no more than that takes; `encoded` stays empty. See `load_image`."""
    how = _How(expected_wh, name or str(path), path.suffix.lower(), verify, False, False, max_side)
    return _load(lambda: ImageBytes(path), how)


def load_bytes(
    data: bytes, expected_wh: tuple[int, int], *, name: str, suffix: str, max_side: int | None = None
) -> LoadedImage:
    """`load_image` of a file that is in memory; `suffix` is the ending of its name."""
    how = _How(expected_wh, name, suffix.lower(), "structure", True, True, max_side)
    return _load(lambda: ImageBytes.of(data), how)


def look_at_bytes(
    data: bytes, expected_wh: tuple[int, int], *, name: str, suffix: str, verify: Verify, max_side: int | None
) -> LoadedImage:
    """`look_at_image` of a file that is in memory; `suffix` is the ending of its name."""
    how = _How(expected_wh, name, suffix.lower(), verify, False, False, max_side)
    return _load(lambda: ImageBytes.of(data), how)


@dataclass(frozen=True, slots=True)
class _How:
    """What is wanted of an image; `keep`: whether its bytes are."""

    expected_wh: tuple[int, int]
    name: str
    suffix: str
    verify: Verify
    encode: bool
    keep: bool
    max_side: int | None


def _load(source: Callable[[], ImageBytes], how: _How) -> LoadedImage:
    findings: list[Finding] = []
    try:
        return _Loader(_read(source), how, findings).load()
    except _Unusable as exc:
        findings.append(finding(exc.code, f"{how.name}: {exc}", image=how.name))
        return LoadedImage(findings=tuple(findings))


class _Quiet:
    """Ignores warnings while any thread is inside: Pillow warns of what the findings tell."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


_QUIET = _Quiet()


class _Loader:
    """The steps of `load_image`, with what they share."""

    def __init__(self, source: ImageBytes, how: _How, findings: list[Finding]) -> None:
        self.name = how.name
        self.suffix = how.suffix
        self.expected_wh = how.expected_wh
        self.findings = findings
        self.how = how
        self.source = source
        self.kind = sniff(source.head)

    def load(self) -> LoadedImage:
        structure = self._structure()
        width, height = structure.wh
        if 0 < width * height <= MAX_PIXELS and self.how.verify == "structure" and not self._reduces(width, height):
            return self._plain_jpeg(structure.wh)
        with _QUIET:
            return self._by_pillow(structure)

    def _by_pillow(self, structure: Structure) -> LoadedImage:
        # Pillow needs no more than the headers to tell what a JPEG is.
        image = _open(self.source.head if self.kind == "jpeg" else self.source.whole())
        format_name = "JPEG" if self.kind == "jpeg" else str(image.format)
        self._tell_suffix(format_name)
        orientation = _orientation(image, self.kind, structure)
        raw_wh = _raw_size(image)
        moved_by = self._match_size(raw_wh, orientation)
        convert = self._tell_conversions(image, format_name, structure, orientation, moved_by)
        upright_wh = upright_size(orientation, *raw_wh)
        encoded, stored = self._stored(image, convert, upright_wh), self.kind or "png"
        return self._loaded(encoded, stored, upright_wh, moved_by, raw_wh)

    def _reduces(self, width: int, height: int) -> bool:
        return reduced_size(width, height, self.how.max_side) != (width, height)

    def _stored(self, image: Image.Image, convert: bool, upright_wh: tuple[int, int]) -> bytes:
        """What goes into the record; decodes the picture where it is converted, or to be verified."""
        how, smaller = self.how, self._reduces(*upright_wh)
        if convert or how.verify == "full" or (smaller and how.encode):
            image = _open(self.source.whole()) if self.kind == "jpeg" else image
            if smaller and how.verify != "full":
                draft(image, max(reduced_size(*upright_wh, how.max_side)))
            pixels = _upright_pixels(image)
            if how.encode and (convert or smaller):
                return encode(resized(pixels, reduced_size(*upright_wh, how.max_side)), self.kind)
        return self.source.whole() if how.keep else b""

    def _plain_jpeg(self, wh: tuple[int, int]) -> LoadedImage:
        """A JPEG whose headers tell all there is to know, so that Pillow is not needed."""
        self._tell_suffix("JPEG")
        self._match_size(wh, 1)
        loaded = self._loaded(self.source.whole() if self.how.keep else b"", "jpeg", wh, 1, wh)
        return replace(loaded, plain_mtime_ns=self.source.mtime_ns)

    def _loaded(
        self, encoded: bytes, stored: str, upright_wh: tuple[int, int], moved_by: int, raw_wh: tuple[int, int]
    ) -> LoadedImage:
        width, height = reduced_size(*upright_wh, self.how.max_side)
        found, size = tuple(self.findings), self.source.size
        return LoadedImage(encoded, stored, width, height, moved_by, raw_wh, found, size, upright_wh)

    def _structure(self) -> Structure:
        if not self.source.size:
            raise _Unusable("image-empty-file", "zero bytes; expected an image. Copy it again.")
        checks = {"jpeg": jpeg_structure, "png": png_structure}
        structure = checks[self.kind](self.source) if self.kind else Structure()
        if structure.problem:
            code = "image-truncated" if structure.truncated else "image-undecodable"
            what = f"{self.kind.upper()} of {self.source.size} bytes: {structure.problem}"
            raise _Unusable(code, f"{what}; expected a whole file. Copy it again.")
        return structure

    def _tell(self, code: str, message: str) -> None:
        self.findings.append(finding(code, f"{self.name}: {message}", image=self.name))

    def _tell_suffix(self, format_name: str) -> None:
        if self.suffix and SUFFIX_FORMAT.get(self.suffix, format_name) != format_name:
            self._tell(
                "image-extension", f"holds {format_name}, though its name ends in {self.suffix}. Content decides."
            )

    def _match_size(self, raw_wh: tuple[int, int], orientation: int) -> int:
        """The orientation to move coordinates by: they belong to the raw pixels unless only the upright size fits."""
        shown_wh = upright_size(orientation, *raw_wh)
        if self.expected_wh in ((0, 0), raw_wh):
            return orientation
        if self.expected_wh == shown_wh:
            return 1
        expected, found = (f"{w}x{h}" for w, h in (self.expected_wh, raw_wh))
        raise _Unusable(
            "image-size-mismatch", f"{found} pixels; the JSON says {expected}. Put the annotated file there."
        )

    def _tell_conversions(
        self, image: Image.Image, format_name: str, structure: Structure, orientation: int, moved_by: int
    ) -> bool:
        before = len(self.findings)
        if not self.kind:
            self._tell("image-format-converted", f"{format_name}; stored as PNG, which TensorFlow reads.")
        if image.mode == "CMYK":
            self._tell("image-cmyk", "CMYK; stored as RGB.")
        if structure.bits == 16 or image.mode.startswith("I"):
            self._tell("image-16-bit", "16 bits per channel; scaled to 8 (value / 257).")
        if structure.palette:
            self._tell("image-palette", "PNG with a palette; stored as RGB.")
        if _has_alpha(image) and _is_opaque(image):
            self._tell("image-alpha-opaque", "has an alpha channel that hides nothing; left away.")
        elif _has_alpha(image):
            self._tell("image-alpha", "has transparent pixels; laid on white.")
        if orientation != 1:
            moved = (
                "coordinates moved with it" if moved_by != 1 else "coordinates are upright already (size in the JSON)"
            )
            self._tell("image-exif-rotated", f"EXIF orientation {orientation}; stored upright, {moved}.")
        convert = len(self.findings) > before or not structure.plain
        frames = 1 if self.kind == "jpeg" else _count_frames(image)
        if frames > 1:
            self._tell("image-animated", f"{frames} frames or pages; the first is taken.")
        return convert


def _read(source: Callable[[], ImageBytes]) -> ImageBytes:
    try:
        return source()
    except FileNotFoundError as exc:
        raise _Unusable("image-missing", "no such file. Copy it there.") from exc
    except OSError as exc:
        raise _Unusable("image-unreadable", f"cannot be read ({exc.strerror}). Change its rights.") from exc


def _open(data: bytes) -> Image.Image:
    """Read the header only."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as exc:
        raise _Unusable("image-too-large", f"more than {MAX_PIXELS} pixels. Scale it down.") from exc
    except Exception as exc:  # damaged files make Pillow raise nearly anything
        raise _Unusable("image-undecodable", "no known image format, or a damaged header. Convert it to JPEG.") from exc
    if image.width * image.height > MAX_PIXELS:
        raise _Unusable("image-too-large", f"{image.width}x{image.height} pixels; at most {MAX_PIXELS}. Scale it down.")
    return image


def _orientation(image: Image.Image, kind: str, structure: Structure) -> int:
    """EXIF orientation, 1 if there is none or it cannot be read (as browsers do)."""
    if kind == "png" and not structure.exif:
        return 1  # asking Pillow would decode the whole PNG
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # damaged EXIF makes Pillow raise nearly anything, and is no reason to lose the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _raw_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as stored; Pillow's own are those of the upright picture for a TIFF."""
    tags = getattr(image, "tag_v2", {})
    return int(tags.get(_TIFF_WIDTH_TAG, image.width)), int(tags.get(_TIFF_HEIGHT_TAG, image.height))


def _count_frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a damaged later frame makes Pillow raise nearly anything; the first may be whole
        return 1


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _is_opaque(image: Image.Image) -> bool:
    _decode(image)
    low, _ = image.convert("RGBA").getchannel("A").getextrema()
    return low == 255


def _decode(image: Image.Image) -> None:
    """Decode every pixel of the first frame."""
    try:
        image.load()
    except Exception as exc:  # damaged files make Pillow raise nearly anything
        code = "image-truncated" if "truncated" in str(exc).lower() else "image-undecodable"
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise _Unusable(code, f"cannot be decoded ({reason}). Copy it again.") from exc


def _upright_pixels(image: Image.Image) -> Image.Image:
    """The first frame, upright, as 8-bit grey or RGB."""
    from PIL import ImageOps

    _decode(image)
    try:
        return to_8_bit(ImageOps.exif_transpose(image))
    except (ValueError, OSError) as exc:
        raise _Unusable("image-undecodable", f"mode {image.mode}: {exc}. Convert it to 8-bit RGB.") from exc
