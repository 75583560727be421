"""A COCO JSON under repair: its rows as they stand, what can be read of them, and the changes made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kpt_tools.annotations.checks.poses import Pairs
from kpt_tools.annotations.coco import parse_coco, root_lists
from kpt_tools.annotations.coco_categories import Categories, parse_categories
from kpt_tools.annotations.coco_objects import parse_object
from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, Report

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        code: the finding that it repairs.
        where: what was changed: ``"annotation 12"``, ``"image 3"``, ``"category 'plier'"``.
        change: what became of it: ``"num_keypoints 3 -> 5"``.
        image: file name, or "".
        annotation_id: source id, or None.
    """

    code: str
    where: str
    change: str
    image: str = ""
    annotation_id: int | None = None


@dataclass(frozen=True)
class Facts:
    """What the JSON alone does not tell.

    Attributes:
        flip_pairs: category id to pairs of keypoint indices of that class.
        sizes: width and height of the file of an image, by image id.
        missing: ids of images without a file.
    """

    flip_pairs: Mapping[int, Pairs] = field(default_factory=dict)
    sizes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    missing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ReadObject:
    """A row of `annotations` that can be read."""

    row: Row
    instance: Instance
    image: ImageRecord
    category: Category


class Draft:
    """The JSON under repair. It is changed in place."""

    def __init__(self, raw: Any, source: str, facts: Facts | None = None) -> None:
        """Take parsed JSON.

        Raises:
            DataError: it is not COCO at all.
        """
        root_lists(raw, source)
        self.raw: Row = raw
        self.source = source
        self.facts = facts or Facts()
        self.changes: list[Change] = []
        self._dataset: Dataset | None = None
        self._objects: list[ReadObject] | None = None

    def rows(self, key: str) -> list[Row]:
        """The objects among the entries of a list of the root."""
        return [row for row in self.raw[key] if isinstance(row, dict)]

    @property
    def dataset(self) -> Dataset:
        """What can be read now."""
        if self._dataset is None:
            self._dataset, _ = parse_coco(self.raw, self.source)
        return self._dataset

    @property
    def categories(self) -> Categories:
        """The classes that can be read now."""
        return parse_categories(self.raw["categories"], self.raw["annotations"], self.source, Report())

    @property
    def objects(self) -> list[ReadObject]:
        """The rows of `annotations` that can be read now, in file order."""
        if self._objects is None:
            images = {image.id: image for image in self.dataset.images}
            by_id = self.categories.by_id
            found: dict[int, ReadObject] = {}
            for index, row in enumerate(self.rows("annotations")):
                instance = parse_object(row, index, images, by_id, self.source, Report())
                if instance is not None and instance.id not in found:
                    category = self.dataset.category_by_id[instance.category_id]
                    found[instance.id] = ReadObject(row, instance, images[instance.image_id], category)
            self._objects = list(found.values())
        return self._objects

    def tell(self, code: str, where: str, change: str, *, image: str = "", annotation_id: int | None = None) -> None:
        """Note a change that was just made."""
        self.changes.append(Change(code, where, change, image, annotation_id))
        self._dataset = self._objects = None

    def tell_object(self, code: str, found: ReadObject, change: str) -> None:
        """Note a change of an object."""
        where = f"annotation {found.instance.id}"
        self.tell(code, where, change, image=found.image.file_name, annotation_id=found.instance.id)

    def set(self, code: str, found: ReadObject, key: str, value: object) -> None:
        """Give an object's row another value."""
        before = shown(found.row[key]) if key in found.row else "absent"
        found.row[key] = value
        self.tell_object(code, found, f"{key} {before} -> {shown(value)}")

    def remove(self, code: str, key: str, rows: Sequence[object], why: str) -> None:
        """Take rows out of a list of the root."""
        gone = {id(row) for row in rows}
        if not gone:
            return
        self.raw[key] = [row for row in self.raw[key] if id(row) not in gone]
        names = {as_int(row.get("id")): as_text(row.get("file_name")) for row in self.rows("images")}
        for row in rows:
            entry: Row = row if isinstance(row, dict) else {}
            row_id = as_int(entry.get("id"))
            what = key[:-3] + "y" if key == "categories" else key[:-1]
            where = f"{what} {shown(row_id if row_id is not None else row)}"
            image = as_text(entry.get("file_name")) if key == "images" else names.get(as_int(entry.get("image_id")), "")
            self.tell(
                code, where, f"removed: {why}", image=image, annotation_id=row_id if key == "annotations" else None
            )
