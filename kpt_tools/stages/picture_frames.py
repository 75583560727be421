"""Whether coordinates belong to the pixels as stored or to the picture as shown, and the way between.

coco-annotator annotates the stored pixels; most other tools, and our own detectors, see the picture with its EXIF
orientation applied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.orientation import upright_instance
from kpt_tools.entities import Finding, ImageRecord, Instance
from kpt_tools.records.image_file import load_image

_INVERSE = {6: 8, 8: 6}


@dataclass(frozen=True)
class PictureFacts:
    """What the header of an image file tells.

    Attributes:
        raw_wh: size of the stored pixels; (0, 0) if the file cannot be used.
        upright_wh: size as shown.
        orientation: EXIF orientation, 1 to 8.
        problems: why it cannot be used.
    """

    raw_wh: tuple[int, int]
    upright_wh: tuple[int, int]
    orientation: int
    problems: tuple[Finding, ...]


class PictureReader:
    """Reads the facts of files, each once."""

    def __init__(self) -> None:
        self._known: dict[Path, PictureFacts] = {}

    def facts(self, path: Path, name: str = "") -> PictureFacts:
        """The facts of the file `path`; `name` is what messages call it."""
        key = path.resolve()
        if key not in self._known:
            loaded = load_image(path, (0, 0), name=name or str(path), encode=False)
            problems = tuple(row for row in loaded.findings if row.severity == "error")
            size = (loaded.width, loaded.height)
            self._known[key] = PictureFacts(loaded.raw_wh, size, loaded.moved_by, problems)
        return self._known[key]

    def size_of(self, path: Path) -> tuple[int, int] | None:
        """The size as shown, or None if the file cannot be used."""
        facts = self.facts(path)
        return None if facts.problems else facts.upright_wh


def to_stored(
    image: ImageRecord, instances: tuple[Instance, ...], facts: PictureFacts
) -> tuple[ImageRecord, tuple[Instance, ...]]:
    """An image and its objects from the upright picture to the stored pixels."""
    inverse = _INVERSE.get(facts.orientation, facts.orientation)
    moved = tuple(upright_instance(row, inverse, *facts.upright_wh) for row in instances)
    return replace(image, width=facts.raw_wh[0], height=facts.raw_wh[1]), moved


def to_upright(
    image: ImageRecord, instances: tuple[Instance, ...], facts: PictureFacts
) -> tuple[ImageRecord, tuple[Instance, ...]]:
    """An image and its objects from the stored pixels to the upright picture."""
    moved = tuple(upright_instance(row, facts.orientation, *facts.raw_wh) for row in instances)
    return replace(image, width=facts.upright_wh[0], height=facts.upright_wh[1]), moved


def reframed(
    image: ImageRecord, instances: tuple[Instance, ...], facts: PictureFacts, *, upright_now: bool, upright_then: bool
) -> tuple[ImageRecord, tuple[Instance, ...], Finding | None]:
    """An image and its objects in the frame that is wanted, with the size of the file.

    Where only one of both sizes fits that of the annotations, it tells the frame that they are in; otherwise the
    habit of their format does.

    Args:
        image: as annotated.
        instances: its objects.
        facts: of its file, which must be usable.
        upright_now: the habit of the format that it comes from.
        upright_then: the frame that is wanted.

    Returns:
        Image, objects, and the finding that they were moved or (an error) that the size fits neither frame.
    """
    size = (image.width, image.height)
    if size not in ((0, 0), facts.raw_wh, facts.upright_wh):
        found, expected = (f"{w}x{h}" for w, h in (facts.raw_wh, size))
        message = f"{image.file_name}: {found} pixels; the annotations say {expected}. Put the annotated file there."
        return image, instances, finding("image-size-mismatch", message, image=image.file_name)
    if facts.raw_wh != facts.upright_wh and size != (0, 0):
        upright_now = size == facts.upright_wh
    width, height = facts.upright_wh if upright_now else facts.raw_wh
    image = replace(image, width=width, height=height)
    if facts.orientation == 1 or upright_now == upright_then:
        return image, instances, None
    image, instances = (to_upright if upright_then else to_stored)(image, instances, facts)
    frame = "the upright picture" if upright_then else "the stored pixels"
    message = f"{image.file_name}: EXIF orientation {facts.orientation}; coordinates moved to those of {frame}."
    return image, instances, finding("image-exif-rotated", message, image=image.file_name)
