"""Samples of a data set whose objects are in an `ObjectStore`, so that memory does not grow with them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import overload

from kpt_tools.entities import Category, Dataset, ImageRecord, Instance
from kpt_tools.records.object_store import ObjectStore, unpacked
from kpt_tools.records.parallel import MadeWhenAsked
from kpt_tools.records.prepare import Sample

_Packed = tuple[tuple[int, str, int, int, str], str, int, int, int, bool, int, bytes]
"""Fields of the source; name and size as stored, size of the file, whether reduced, `plain_mtime_ns`; objects."""


class StoredDataset:
    """Images and classes in memory, objects in a store; `records.prepare` takes it like a `Dataset`.

    Attributes:
        images: all images, in file order.
        categories: all classes.
    """

    def __init__(self, store: ObjectStore, dataset: Dataset) -> None:
        """Take a data set whose objects have been handed to ``store.add``."""
        self.images, self.categories = dataset.images, dataset.categories
        self._store = store

    @cached_property
    def category_by_id(self) -> Mapping[int, Category]:
        """Classes by id."""
        return {category.id: category for category in self.categories}

    @cached_property
    def instances_of_image(self) -> Mapping[int, tuple[Instance, ...]]:
        """Objects by image id, in file order; read when asked for."""
        return _ByImage(self._store, self.images)


class _ByImage(Mapping[int, tuple[Instance, ...]]):
    def __init__(self, store: ObjectStore, images: Sequence[ImageRecord]) -> None:
        self._store, self._images = store, images

    def __getitem__(self, image_id: int) -> tuple[Instance, ...]:
        return self._store.objects_of(image_id)

    def __iter__(self) -> Iterator[int]:
        return (image.id for image in self._images)

    def __len__(self) -> int:
        return len(self._images)


class _Table:
    """What is kept of each sample in memory: some numbers, and its name where it is not that of the JSON."""

    def __init__(self, store: ObjectStore, images: Sequence[ImageRecord], root: Path, max_side: int | None) -> None:
        self.store, self.images, self.root, self.max_side = store, images, root, max_side
        self.source, self.num_bytes, self.names = array("Q"), array("Q"), dict[int, str]()
        self.width, self.height, self.reduced = array("L"), array("L"), bytearray()
        self.plain_mtime_ns = array("q")

    def add(self, source: int, sample: Sample) -> int:
        place = len(self.source)
        self.store.put_instances(place, sample.instances)
        self.source.append(source)
        self.num_bytes.append(sample.num_bytes)
        self.width.append(sample.image.width)
        self.height.append(sample.image.height)
        self.reduced.append(sample.reduced)
        self.plain_mtime_ns.append(sample.plain_mtime_ns)
        if sample.image.file_name != sample.source.file_name:
            self.names[place] = sample.image.file_name
        return place

    def image(self, place: int) -> ImageRecord:
        return self.images[self.source[place]].stored_as(self.name(place), self.width[place], self.height[place])

    def packed(self, place: int) -> _Packed:
        image, num_bytes, reduced = self.images[self.source[place]], self.num_bytes[place], bool(self.reduced[place])
        name, width, height = self.name(place), self.width[place], self.height[place]
        source = (image.id, image.file_name, image.width, image.height, image.source_path)
        objects = self.store.packed_instances_at(place)
        return source, name, width, height, num_bytes, reduced, self.plain_mtime_ns[place], objects

    def name(self, place: int) -> str:
        return self.names.get(place) or self.images[self.source[place]].file_name


@dataclass(frozen=True)
class StoredSamples(Sequence[Sample]):
    """Some samples of a store, read when asked for.

    Attributes:
        table: where they are.
        places: their places there, in order.
        class_ids: other category ids by those that were kept; None: they stay.
    """

    table: _Table
    places: Sequence[int]
    class_ids: Mapping[int, int] | None = None

    def __len__(self) -> int:
        """Their number."""
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> StoredSamples: ...
    def __getitem__(self, index: int | slice) -> Sample | StoredSamples:
        """One of them, or a part."""
        if isinstance(index, slice):
            return replace(self, places=self.places[index])
        table = self.table
        return _unpacked(table.packed(self.places[index]), table.root, table.max_side, self.class_ids)

    def apart(self) -> Sequence[Sample]:
        """The same samples without their store, quick to send to another process; each is made when asked for."""
        packed = tuple(map(self.table.packed, self.places))
        return MadeWhenAsked(
            len(packed), partial(_unpacked_of, packed, self.table.root, self.table.max_side, self.class_ids)
        )

    def at(self, indices: Iterable[int]) -> StoredSamples:
        """Those at `indices`, in that order."""
        return replace(self, places=array("Q", (self.places[index] for index in indices)))

    def sources(self) -> list[ImageRecord]:
        """The image of each as its JSON describes it."""
        return [self.table.images[self.table.source[place]] for place in self.places]

    @property
    def can_be_copied(self) -> bool:
        """Whether a copy of this process can read them; it cannot use a database."""
        return self.table.store.can_be_copied

    @property
    def objects_bytes(self) -> int:
        """About how many bytes their objects take in the store, at most."""
        return self.table.store.sample_bytes

    def instances(self) -> Iterator[Instance]:
        """The objects of all, in order."""
        for place in self.places:
            yield from _instances(self.table.store.packed_instances_at(place), self.class_ids)

    def stored_images(self) -> Iterator[ImageRecord]:
        """The image of each as it is stored."""
        return (self.table.image(place) for place in self.places)

    def file_names(self) -> list[str]:
        """The file of each, relative to the image folder."""
        return [self.table.name(place) for place in self.places]

    def sizes_wh(self) -> Iterator[tuple[int, int]]:
        """Width and height of each as it is stored."""
        return ((self.table.width[place], self.table.height[place]) for place in self.places)

    def num_reduced(self) -> int:
        """How many are stored smaller than they are."""
        return sum(self.table.reduced[place] for place in self.places)

    def num_plain(self) -> int:
        """How many are JPEGs that plainly go in as they are."""
        return sum(self.table.plain_mtime_ns[place] != 0 for place in self.places)

    def stored_bytes(self) -> int:
        """About how many bytes they take in records: those of the files, or their share if they are reduced."""
        table, total = self.table, 0.0
        for place in self.places:
            source = table.images[table.source[place]]
            full = source.width * source.height
            share = table.width[place] * table.height[place] / full if table.reduced[place] and full else 1.0
            total += table.num_bytes[place] * share
        return round(total)


def stored(
    store: ObjectStore,
    images: Sequence[ImageRecord],
    root: Path,
    samples: Iterable[Sample | None],
    max_side: int | None = None,
) -> StoredSamples:
    """Keep samples as they come; None is passed over.

    Args:
        store: where to.
        images: those of the samples, and perhaps others, in the same order.
        root: folder of the image files.
        samples: the samples.
        max_side: that of all samples.
    """
    table = _Table(store, images, root, max_side)
    places, source = array("Q"), 0
    for sample in samples:
        if sample is not None:
            while images[source] is not sample.source:
                source += 1
            places.append(table.add(source, sample))
    return StoredSamples(table, places)


def _instances(data: bytes, class_ids: Mapping[int, int] | None) -> tuple[Instance, ...]:
    instances = tuple(unpacked(data))
    if class_ids is None:
        return instances
    return tuple([replace(each, category_id=class_ids[each.category_id]) for each in instances])


def _unpacked_of(
    samples: Sequence[_Packed], root: Path, max_side: int | None, class_ids: Mapping[int, int] | None, index: int
) -> Sample:
    return _unpacked(samples[index], root, max_side, class_ids)


def _unpacked(packed: _Packed, root: Path, max_side: int | None, class_ids: Mapping[int, int] | None) -> Sample:
    fields, name, width, height, num_bytes, reduced, plain_mtime_ns, data = packed
    source, instances = ImageRecord(*fields), _instances(data, class_ids)
    image = source.stored_as(name, width, height)
    return Sample(source, root / name, image, instances, num_bytes, max_side, reduced, plain_mtime_ns)
