"""How many of what a data set holds: classes, keypoints, sizes of objects and images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from kpt_tools.entities import Category, Dataset, Instance

SMALL_PX, MEDIUM_PX = 32.0, 96.0
"""COCO's borders between small, medium and large objects: side of a square of equal area."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Five numbers of a distribution: least, 5 %, middle, 95 %, largest."""

    least: float
    p5: float
    median: float
    p95: float
    largest: float


@dataclass(frozen=True, slots=True)
class KeypointCounts:
    """How often a keypoint of a class is visible (v = 2), hidden (1) and not labelled (0)."""

    name: str
    visible: int
    hidden: int
    unlabelled: int

    @property
    def labelled_share(self) -> float:
        """Share of the objects in which it is labelled; 0.0 without objects."""
        total = self.visible + self.hidden + self.unlabelled
        return (self.visible + self.hidden) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class ClassStatistics:
    """The objects of a class.

    Attributes:
        name: of the class.
        objects: number of objects, crowds included.
        images: number of images that have one.
        with_box: objects with a usable box.
        with_keypoints: objects with at least one labelled point.
        crowds: objects marked as a crowd.
        sizes: small, medium and large ones by the area of the box, as in COCO.
        side_px: square root of the area of the boxes; None without boxes.
        keypoints: in annotation order.
    """

    name: str
    objects: int
    images: int
    with_box: int
    with_keypoints: int
    crowds: int
    sizes: tuple[int, int, int]
    side_px: Spread | None
    keypoints: tuple[KeypointCounts, ...]


@dataclass(frozen=True, slots=True)
class DatasetStatistics:
    """A data set in numbers.

    Attributes:
        images: number of images.
        without_objects: number of images without objects.
        objects: number of objects.
        objects_per_image: number of images by their number of objects.
        image_sizes: number of images by width and height, most frequent first; (0, 0) if the JSON does not tell.
        classes: in file order.
    """

    images: int
    without_objects: int
    objects: int
    objects_per_image: dict[int, int]
    image_sizes: dict[tuple[int, int], int]
    classes: tuple[ClassStatistics, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; image sizes as ``"640x480"``."""
        sizes = {f"{width}x{height}": count for (width, height), count in self.image_sizes.items()}
        per_image = {str(number): count for number, count in self.objects_per_image.items()}
        return {**asdict(self), "image_sizes": sizes, "objects_per_image": per_image}


def statistics_of(dataset: Dataset) -> DatasetStatistics:
    """Count."""
    per_image = Counter(len(dataset.instances_of_image[image.id]) for image in dataset.images)
    return DatasetStatistics(
        images=len(dataset.images),
        without_objects=per_image.get(0, 0),
        objects=len(dataset.instances),
        objects_per_image=dict(sorted(per_image.items())),
        image_sizes=dict(Counter((image.width, image.height) for image in dataset.images).most_common()),
        classes=tuple(_of_class(category, dataset) for category in dataset.categories),
    )


def side_of(instance: Instance) -> float | None:
    """Side of a square with the area of the box, None without a box."""
    return sqrt(instance.box_xywh_px[2] * instance.box_xywh_px[3]) if instance.box_xywh_px else None


def spread_of(values: Sequence[float]) -> Spread | None:
    """The five numbers of `values` (nearest ranks), None if there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    ranks = (0.0, 0.05, 0.5, 0.95, 1.0)
    return Spread(*(round(ordered[round(rank * (len(ordered) - 1))], 2) for rank in ranks))


def _of_class(category: Category, dataset: Dataset) -> ClassStatistics:
    instances = [i for i in dataset.instances if i.category_id == category.id]
    sides = [side for side in map(side_of, instances) if side is not None]
    small = sum(side < SMALL_PX for side in sides)
    large = sum(side >= MEDIUM_PX for side in sides)
    return ClassStatistics(
        name=category.name,
        objects=len(instances),
        images=len({i.image_id for i in instances}),
        with_box=len(sides),
        with_keypoints=sum(i.num_labelled > 0 for i in instances),
        crowds=sum(i.iscrowd for i in instances),
        sizes=(small, len(sides) - small - large, large),
        side_px=spread_of(sides),
        keypoints=tuple(_of_keypoint(slot, name, instances) for slot, name in enumerate(category.keypoints)),
    )


def _of_keypoint(slot: int, name: str, instances: Sequence[Instance]) -> KeypointCounts:
    seen = Counter(i.keypoints_xyv[slot][2] if i.keypoints_xyv else 0 for i in instances if not i.iscrowd)
    return KeypointCounts(name, visible=seen[2], hidden=seen[1], unlabelled=seen[0])
