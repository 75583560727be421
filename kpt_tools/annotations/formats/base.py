"""What the formats share: options, results, and the telling of what a format cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kpt_tools.annotations.coco import MAX_SIDE_PX
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import BoxPolicy
from kpt_tools.entities import BoxXywhPx, Category, Dataset, Finding, Instance, KeypointXyv, Report

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
DEFAULT_CLASS = "object"
MAX_PX = MAX_SIDE_PX
UNLABELLED: KeypointXyv = (0.0, 0.0, 0)

SizeOf = Callable[[Path], tuple[int, int] | None]
"""Width and height of the upright picture in a file, or None if it cannot be read."""


def no_size(path: Path) -> tuple[int, int] | None:
    """Know no size at all."""
    return None


@dataclass(frozen=True)
class ReadOptions:
    """What a reader may use beside its file.

    Attributes:
        classes: names, keypoints and skeletons to use; empty: those that the file tells.
        category: class of objects for which the file tells none.
        images: folder of the images.
        size_of: tells the size of an image file.
    """

    classes: tuple[Category, ...] = ()
    category: str | None = None
    images: Path | None = None
    size_of: SizeOf = no_size


@dataclass(frozen=True)
class WriteOptions:
    """What a writer needs to know beside the data set.

    Attributes:
        flips: per category id, which keypoint takes the place of each in a mirror image.
        val_ids: ids of the images for val, where the format has splits.
        category: the class to write, where the format holds one only.
        scorer: DeepLabCut's name of the person who labelled.
        image_url: what Label Studio's image addresses start with.
        boxes: for objects without a box, where the format needs one.
        folder: name of the output folder, where the format asks for a name.
    """

    flips: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    val_ids: frozenset[int] = frozenset()
    category: str | None = None
    scorer: str = ""
    image_url: str = ""
    boxes: BoxPolicy = field(default_factory=BoxPolicy)
    folder: str = "images"


@dataclass(frozen=True)
class Written:
    """What a writer made of a data set.

    Attributes:
        files: content by path below the output folder; the first is the main one.
        images: for each image id, where below the output folder the format expects the image.
        findings: what was changed or lost.
    """

    files: Mapping[str, str | bytes]
    images: Mapping[int, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


Reader = Callable[[Path, ReadOptions], tuple[Dataset, Report]]
Writer = Callable[[Dataset, WriteOptions], Written]


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: as on the command line.
        read: file or folder to data set.
        write: data set to files.
        upright: whether its coordinates are those of the picture as shown (EXIF orientation applied) and not
            those of the pixels as stored.
        is_file: whether one file holds all, so that an output file can be named.
    """

    name: str
    read: Reader
    write: Writer
    upright: bool
    is_file: bool


def corners(box_xywh_px: BoxXywhPx) -> tuple[float, ...]:
    """The four corners as coco-annotator writes a drawn box: clockwise from the upper left."""
    x, y, w, h = box_xywh_px
    return x, y, x + w, y, x + w, y + h, x, y + h


def box_around(xs: Iterable[float], ys: Iterable[float]) -> BoxXywhPx | None:
    """The upright box around points; None if it has no area."""
    left, right, top, bottom = *_span(xs), *_span(ys)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _span(values: Iterable[float]) -> tuple[float, float]:
    known = list(values) or [0.0]
    return min(known), max(known)


def points_of(instance: Instance, category: Category) -> tuple[KeypointXyv, ...]:
    """As many points as the class has; not labelled ones as 0, 0, 0."""
    given = instance.keypoints_xyv or (UNLABELLED,) * len(category.keypoints)
    return tuple(point if point[2] > 0 else UNLABELLED for point in given)


def needs_box(instance: Instance, category: Category, image: str, target: str) -> Finding:
    """The finding about an object that is left out for want of a box."""
    message = (
        f"{image}: annotation {instance.id} ('{category.name}'): no box, which {target} needs; left out. "
        "Draw a box, or use --boxes-from-keypoints."
    )
    return finding("box-missing", message, image=image, annotation_id=instance.id)


def inexpressible(instance: Instance, category: Category, image: str, why: str) -> Finding:
    """The finding about an object that the format cannot hold."""
    message = f"{image}: annotation {instance.id} ('{category.name}'): {why}; left out."
    return finding("object-inexpressible", message, image=image, annotation_id=instance.id)


def without_absurd(dataset: Dataset) -> tuple[Dataset, list[Finding]]:
    """The data set without numbers that no picture has, so that sums and products stay finite.

    Objects with such coordinates are left out; such sizes of images are taken as unknown.
    """
    names = {image.id: image.file_name for image in dataset.images}
    kept: list[Instance] = []
    findings: list[Finding] = []
    images = []
    for image in dataset.images:
        if max(image.width, image.height) > MAX_PX:
            message = f"{image.file_name}: a width or height of more than {MAX_PX:g}; taken as unknown."
            findings.append(finding("image-size-missing", message, image=image.file_name))
            image = replace(image, width=0, height=0)
        images.append(image)
    for row in dataset.instances:
        numbers = [*(row.box_xywh_px or ()), *(value for x, y, _ in row.keypoints_xyv for value in (x, y))]
        numbers += [value for polygon in row.segmentation for value in polygon]
        odd = next((value for value in numbers if not abs(value) <= MAX_PX), None)
        if odd is None and row.area_px <= MAX_PX**2:
            kept.append(row)
        else:
            why = f"has the number {row.area_px if odd is None else odd:g}, which no picture has"
            findings.append(inexpressible(row, dataset.category_by_id[row.category_id], names[row.image_id], why))
    return Dataset(tuple(images), dataset.categories, tuple(kept), dataset.source), findings


def losses(
    dataset: Dataset,
    target: str,
    *,
    visibility: bool = False,
    skeleton: bool = False,
    segmentation: bool = False,
    crowd: bool = False,
    boxes: bool = False,
) -> list[Finding]:
    """One finding for each kind of thing that `target` does not hold and that is there to be lost."""
    points = [point for instance in dataset.instances for point in instance.keypoints_xyv]
    counts = {
        "visibility-lost": visibility * sum(v == 1 for _, _, v in points),
        "skeleton-lost": skeleton * sum(bool(category.skeleton) for category in dataset.categories),
        "segmentation-lost": segmentation * sum(bool(outlines(instance)) for instance in dataset.instances),
        "crowd-flag-lost": crowd * sum(instance.iscrowd for instance in dataset.instances),
        "box-lost": boxes * sum(instance.box_xywh_px is not None for instance in dataset.instances),
    }
    what = {
        "visibility-lost": "points with v = 1 are written like those with v = 2",
        "skeleton-lost": "classes have a skeleton, which is left away",
        "segmentation-lost": "objects have polygons, which are left away",
        "crowd-flag-lost": "crowds are written as common objects",
        "box-lost": "objects have boxes, which are left away",
    }
    return [finding(code, f"{target}: {count} {what[code]}.") for code, count in counts.items() if count]


def outlines(instance: Instance) -> tuple[tuple[float, ...], ...]:
    """The polygons, unless they are just the four corners of the box."""
    box = instance.box_xywh_px
    return () if box is not None and instance.segmentation == (corners(box),) else instance.segmentation
