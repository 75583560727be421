"""Pictures of the images and objects of a data set, cut and drawn for a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kpt_tools.annotations.orientation import upright_instance
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, LabelMap, ModelMetadata
from kpt_tools.records.image_file import load_image
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.report.crops import jpeg, mirrored, named_picture, object_picture, whole_picture
from kpt_tools.report.page import Picture

if TYPE_CHECKING:
    from PIL import Image

SIDE_PX = 360
_FLIP_PX = 480
_TRIES = 20


@dataclass(frozen=True)
class _Upright:
    """An image as it is looked at, and how its annotations get there."""

    picture: Image.Image
    moved_by: int
    raw_wh: tuple[int, int]

    def instance(self, instance: Instance) -> Instance:
        return upright_instance(instance, self.moved_by, *self.raw_wh)


class Gallery:
    """Draws what can be drawn; None for the rest (no folder, a missing or damaged file)."""

    def __init__(self, dataset: Dataset, folder: ImageFolder | None, label_map: LabelMap | None) -> None:
        self._dataset = dataset
        self._folder = folder
        self._label_map = label_map
        self._failures = 0
        self._load = lru_cache(maxsize=4)(self._load_uncached)

    @property
    def tried_enough(self) -> bool:
        """Whether so many pictures failed since `forget_tries` that more are not worth the time."""
        return self._failures >= _TRIES

    def forget_tries(self) -> None:
        """Start counting failures anew."""
        self._failures = 0

    def of_object(self, annotation_id: int, note: str = "") -> Picture | None:
        """An object, cut out of its image."""
        instance = self._instances.get(annotation_id)
        image = None if instance is None else self._images[instance.image_id]
        upright = None if image is None else self._load(image)
        if upright is None or instance is None or image is None:
            return None
        drawn = object_picture(upright.picture, self._relabelled(upright.instance(instance)), self._metadata, SIDE_PX)
        return Picture(jpeg(drawn), image.file_name, note or f"annotation {annotation_id}")

    def of_image(self, file_name: str) -> Picture | None:
        """A whole image with its objects."""
        image = self._image_of_name.get(file_name)
        upright = None if image is None else self._load(image)
        if upright is None or image is None:
            return None
        instances = [self._relabelled(upright.instance(i)) for i in self._dataset.instances_of_image[image.id]]
        drawn = whole_picture(upright.picture, instances, self._metadata, SIDE_PX)
        return Picture(jpeg(drawn), file_name, f"{len(instances)} object{'' if len(instances) == 1 else 's'}")

    def of_file(self, path: Path, name: str) -> Picture | None:
        """A file as it is, without annotations."""
        upright = _decoded(path, (0, 0))
        if upright is None:
            return None
        return Picture(jpeg(whole_picture(upright.picture, (), self._metadata, SIDE_PX)), name)

    def mirrored(self, instance: Instance, category: Category, pairs: Sequence[tuple[int, int]]) -> tuple[Picture, ...]:
        """An object with the names of the points of `pairs`, as it is and as training sees it mirrored."""
        image = self._images[instance.image_id]
        upright = self._load(image)
        if upright is None:
            return ()
        there = self._relabelled(upright.instance(instance))
        flipped, flipped_instance = mirrored(upright.picture, there, pairs)
        shown = [(upright.picture, there, "as annotated"), (flipped, flipped_instance, "mirrored")]
        named = {index: category.keypoints[index] for pair in pairs for index in pair}
        return tuple(
            Picture(jpeg(named_picture(picture, each, self._metadata, named, _FLIP_PX)), caption)
            for picture, each, caption in shown
        )

    def _relabelled(self, instance: Instance) -> Instance:
        """The object with the label map's class id."""
        return replace(instance, category_id=self._class_ids[instance.category_id])

    def _load_uncached(self, image: ImageRecord) -> _Upright | None:
        if self._folder is None or self._label_map is None:
            return None
        path = self._folder.find(image).path
        upright = None if path is None else _decoded(path, (image.width, image.height))
        self._failures += upright is None
        return upright

    @cached_property
    def _instances(self) -> dict[int, Instance]:
        return {instance.id: instance for instance in self._dataset.instances}

    @cached_property
    def _images(self) -> dict[int, ImageRecord]:
        return {image.id: image for image in self._dataset.images}

    @cached_property
    def _image_of_name(self) -> dict[str, ImageRecord]:
        return {image.file_name: image for image in reversed(self._dataset.images)}

    @cached_property
    def _class_ids(self) -> dict[int, int]:
        return {category.id: number for number, category in enumerate(self._dataset.categories, start=1)}

    @cached_property
    def _metadata(self) -> ModelMetadata:
        """Classes and slots for drawing, skeletons in slots of the label map."""
        label_map = self._label_map or LabelMap(())
        edges = [
            (item.keypoints[a].id, item.keypoints[b].id)
            for category, item in zip(self._dataset.categories, label_map.items, strict=False)
            for a, b in category.skeleton
        ]
        return ModelMetadata(label_map, skeleton=tuple(edges))


def _decoded(path: Path, expected_wh: tuple[int, int]) -> _Upright | None:
    """The upright picture, None if it cannot be used (`check` tells why)."""
    from PIL import Image

    loaded = load_image(path, expected_wh)
    if not loaded.usable:
        return None
    try:
        with Image.open(io.BytesIO(loaded.encoded)) as image:
            return _Upright(image.convert("RGB"), loaded.moved_by, loaded.raw_wh)
    except (OSError, ValueError, SyntaxError):  # whole headers, damaged pixels: told with --verify full
        return None
