"""Whether the bytes of a JPEG or PNG are whole, told from their headers alone (no pixel is decoded).

JPEG: ITU-T T.81 annex B. PNG: ISO/IEC 15948, section 5.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from kpt_tools.records.image_bytes import ImageBytes

JPEG_START = b"\xff\xd8\xff"
PNG_START = b"\x89PNG\r\n\x1a\n"
SUFFIX_FORMAT = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".gif": "GIF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
"""What the ending of a file name promises."""
_JPEG_END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_BASELINE_OR_PROGRESSIVE = frozenset({0xC0, 0xC1, 0xC2})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_TABLES = 0xDB
_JFIF, _ADOBE = 0xE0, 0xEE
_PLAIN_SEGMENTS = frozenset({0xC4, 0xDD, 0xFE, _START_OF_SCAN})
"""Huffman tables, restart interval, comment, scan: nothing in them says what a picture is."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What the headers say.

    Attributes:
        problem: "" if whole, else what is wrong.
        truncated: the file ends early (rather than being damaged).
        plain: the usual coding (8-bit baseline or progressive JPEG); others are decoded and stored anew.
        bits: per channel.
        palette: PNG with a colour table.
        exif: PNG with an eXIf chunk (a JPEG's EXIF costs nothing to look for).
        wh: width and height, where the headers of a JPEG leave no doubt about the picture: 8-bit grey or colour,
            and no segment but the usual ones, so no EXIF; else (0, 0).
    """

    problem: str = ""
    truncated: bool = False
    plain: bool = True
    bits: int = 8
    palette: bool = False
    exif: bool = False
    wh: tuple[int, int] = (0, 0)


def sniff(data: bytes) -> Literal["jpeg", "png", ""]:
    """The format that the first bytes show, "" for any other."""
    if data.startswith(JPEG_START):
        return "jpeg"
    return "png" if data.startswith(PNG_START) else ""


def jpeg_structure(source: ImageBytes) -> Structure:
    """Walk the segments to the first scan, then look for the end-of-image marker behind it.

    In entropy-coded data 0xFF is always followed by 0x00 or a restart marker, so the marker cannot occur by chance;
    one in an embedded thumbnail lies before the scan.
    """
    position, data, frames, usual = 2, source.head, [], True
    while position + 4 <= source.size:
        data = data if position + 4 <= len(data) else source.whole()
        if data[position] != 0xFF:
            return Structure(f"byte {position} should start a JPEG segment")
        marker = data[position + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            position += 1 if marker == 0xFF else 2
            usual = False
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + length
        data = data if position <= len(data) else source.whole()
        segment = data[position - length + 2 : position]
        if marker in _FRAMES:
            frames.append((marker, segment))
        usual = usual and length >= 2 and (marker in _FRAMES or _is_usual(marker, segment))
        if marker == _START_OF_SCAN:
            if not source.ends_with_mark(_JPEG_END, position):
                return Structure("no end-of-image marker", truncated=True)
            return _framed(frames, usual=usual)
    return Structure("no image data", truncated=True)


def _is_usual(marker: int, segment: bytes) -> bool:
    """Whether a segment is well formed and of a kind that leaves no doubt about the picture."""
    if marker == _JFIF:
        return segment.startswith(b"JFIF\0") and len(segment) >= 12
    if marker == _ADOBE:
        return segment.startswith(b"Adobe") and len(segment) >= 12
    if marker == _TABLES:
        while segment:
            size = 1 + 64 * (1 if segment[0] < 16 else 2)
            if len(segment) < size:
                return False
            segment = segment[size:]
        return True
    return marker in _PLAIN_SEGMENTS


def _framed(frames: list[tuple[int, bytes]], *, usual: bool) -> Structure:
    """A whole JPEG with these frame headers."""
    if not frames:
        return Structure()
    marker, header = frames[-1]
    bits = header[0] if header else 8
    plain = marker in _BASELINE_OR_PROGRESSIVE and bits == 8
    wh = (0, 0)
    if usual and plain and len(frames) == 1 and len(header) >= 6:
        height, width, channels = struct.unpack_from(">HHB", header, 1)
        if channels in (1, 3) and len(header) == 6 + 3 * channels and width and height:
            wh = (width, height)
    return Structure(plain=plain, bits=bits, wh=wh)


def png_structure(source: ImageBytes) -> Structure:
    """Walk the chunks to IEND and verify the CRC of those that a decoder needs."""
    data = source.whole()
    position, header, exif, pixels = len(PNG_START), b"", False, False
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            return Structure(f"it ends inside the chunk {_printable(name)}", truncated=True)
        (crc,) = struct.unpack_from(">I", data, end - 4)
        critical = not name[0] & 0x20  # decoders pass over damaged ancillary chunks
        if critical and zlib.crc32(data[position + 4 : end - 4]) != crc:
            return Structure(f"the checksum of the chunk {_printable(name)} at byte {position} is wrong")
        if name == b"IHDR":
            header = data[position + 8 : end - 4]
        exif = exif or name == b"eXIf"
        pixels = pixels or name == b"IDAT"
        if name == b"IEND":
            if len(header) != 13 or not pixels:
                return Structure("it has no header or no pixels")
            return Structure(bits=header[8], palette=header[9] == 3, exif=exif)
        position = end
    return Structure("no end chunk", truncated=True)


def _printable(name: bytes) -> str:
    return name.decode("ascii", "replace") if name.isalpha() else name.hex()
