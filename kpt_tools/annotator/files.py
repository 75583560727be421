"""Where the pictures of a data set go on this disk: every one a name of its own, none outside the folder."""

from __future__ import annotations

import io
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.annotator.client import RemoteImage
from kpt_tools.entities import Finding

_MAX_BYTES = 255
"""Longest name of a file or folder on common file systems."""
_THEIR_QUALITY = 90
"""At which coco-annotator's ``images.py`` saves JPEGs, with Pillow."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A picture and its path below the image folder, with forward slashes."""

    image: RemoteImage
    relative: str


@dataclass(frozen=True)
class Plan:
    """What to download.

    Attributes:
        files: pictures with a path.
        renamed: the path by image id, where it is not the file name that the server has.
        findings: names that collide, and names that are refused.
    """

    files: tuple[PlannedFile, ...]
    renamed: Mapping[int, str]
    findings: tuple[Finding, ...]


def plan_files(images: Sequence[RemoteImage]) -> Plan:
    """Give each picture a path.

    Pictures keep their file names. Where several share one (coco-annotator keeps sub-folders in ``path`` only; names
    that differ in case are one name on many disks), each goes into a folder named after its id. A name that would
    lead out of the folder is refused.
    """
    findings = []
    groups: defaultdict[str, list[RemoteImage]] = defaultdict(list)
    for image in images:
        problem = unsafe(image.file_name)
        if problem:
            message = (
                f"image {image.id}: file name {image.file_name!r} {problem}; expected a plain file name. Not "
                "downloaded; rename it on the server."
            )
            findings.append(Finding("image-name-unsafe", "error", message, image.file_name))
        else:
            groups[_folded(image.file_name)].append(image)
    renamed = {
        image.id: f"{image.id}/{image.file_name}" for group in groups.values() if len(group) > 1 for image in group
    }
    findings += [_collision(group) for group in groups.values() if len(group) > 1]
    placed = [image for image in images if image in groups.get(_folded(image.file_name), ())]
    return Plan(
        tuple(PlannedFile(image, renamed.get(image.id, image.file_name)) for image in placed), renamed, tuple(findings)
    )


def unsafe(file_name: str) -> str:
    """What is wrong with a file name that came over the network; "" if nothing is."""
    parts = file_name.split("/")
    if not file_name.strip():
        return "is empty"
    if file_name.startswith("/") or ":" in file_name:
        return "is an absolute path"
    if "\\" in file_name:
        return "has a backslash"
    if any(part in ("", ".", "..") for part in parts):
        return "leads to another folder"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in file_name):
        return "has control characters"
    if any(len(part.encode("utf-8")) > _MAX_BYTES - 32 for part in parts):
        return "is too long"
    return ""


def file_stem(dataset: str) -> str:
    """A data set's name as that of a file: what file systems do not like becomes "_"."""
    stem = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in dataset).strip(" .")
    return stem[:120] or "dataset"


def seems_reencoded(path: Path) -> bool:
    """Whether a picture looks as coco-annotator re-encodes it: a JPEG of Pillow's quality 90 without EXIF data."""
    from PIL import Image, JpegImagePlugin

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=_THEIR_QUALITY)
    buffer.seek(0)
    try:
        with Image.open(path) as found, Image.open(buffer) as theirs:
            if not (isinstance(found, JpegImagePlugin.JpegImageFile) and isinstance(theirs, type(found))):
                return False
            return found.quantization == theirs.quantization and not found.info.get("exif")
    except (OSError, ValueError, SyntaxError):
        return False


def _collision(group: Sequence[RemoteImage]) -> Finding:
    ids = ", ".join(str(image.id) for image in group[:5]) + (", ..." if len(group) > 5 else "")
    name = group[0].file_name
    message = (
        f"{name}: {len(group)} pictures have this name (images {ids}); expected one. Each lies in a folder named "
        "after its id, and file_name in the JSON says so. coco-annotator's importer cannot tell them apart: rename "
        "them there."
    )
    return Finding("image-name-shared", "warning", message, name)


def _folded(name: str) -> str:
    """A name without differences of case and of Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()
