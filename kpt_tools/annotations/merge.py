"""Several data sets into one.

Classes are one by exact name, images by name if they are the same picture. Ids that are free are kept, others get the
next free one; the order of the inputs decides, so that merging again gives the same ids. Nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from kpt_tools.annotations.codes import finding
from kpt_tools.config.base import did_you_mean
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, Report
from kpt_tools.errors import ConfigError, DataError

SamePicture = Callable[[int, ImageRecord, int, ImageRecord], bool | None]
"""Whether image a of input i is the same picture as image b of input j; None if that cannot be told."""


@dataclass(frozen=True)
class MergePolicy:
    """What to do where inputs meet.

    Attributes:
        rename: new class name by old one.
        ignore_case: class names that differ only in case are one class; the first spelling counts.
        prefixes: put before the file names of each input; empty: none.
        rename_images: of two pictures with one name, call the second ``<input>_<name>`` instead of giving up.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    ignore_case: bool = False
    prefixes: tuple[str, ...] = ()
    rename_images: bool = False


@dataclass(frozen=True)
class Merged:
    """What came out.

    Attributes:
        dataset: all in one.
        origin: for each image id, the number of the input and the image there (the first, if it is in several).
        report: what was changed on the way.
    """

    dataset: Dataset
    origin: Mapping[int, tuple[int, ImageRecord]]
    report: Report


def same_by_record(i: int, a: ImageRecord, j: int, b: ImageRecord) -> bool | None:
    """What the JSONs alone tell: coco-annotator's ``path`` names a picture; other sizes are other pictures."""
    if (a.width, a.height) != (b.width, b.height) and a.width and b.width:
        return False
    return True if a.source_path and a.source_path == b.source_path else None


def merge(parts: Sequence[tuple[str, Dataset]], policy: MergePolicy, same: SamePicture = same_by_record) -> Merged:
    """Put data sets together.

    Args:
        parts: name and data set of each input; the name is used in messages and for new image names.
        policy: what to do where they meet.
        same: tells whether two images of one name are one picture.

    Raises:
        ConfigError: a class to rename does not exist.
        DataError: classes of one name have different keypoints, or different pictures one name.
    """
    known = {category.name for _, dataset in parts for category in dataset.categories}
    for old in policy.rename:
        if old not in known:
            raise ConfigError(f"--rename: no class '{old}'{did_you_mean(old, sorted(known))}")
    report = Report()
    classes = _Classes(policy, report)
    images = _Images(parts, policy, same, report)
    objects = _Objects(parts, report)
    for number, (name, dataset) in enumerate(parts):
        target = {category.id: classes.add(category, name) for category in dataset.categories}
        place = {image.id: images.add(number, image) for image in dataset.images}
        for instance in dataset.instances:
            category_id, order = target[instance.category_id]
            points = instance.keypoints_xyv
            moved = replace(
                instance,
                image_id=place[instance.image_id],
                category_id=category_id,
                keypoints_xyv=tuple(points[index] for index in order) if points else (),
            )
            objects.add(moved, number)
    classes.note_case()
    source = " + ".join(name for name, _ in parts)
    dataset = Dataset(tuple(images.by_id.values()), tuple(classes.categories), tuple(objects.kept.values()), source)
    return Merged(dataset, images.origin, report)


class _Classes:
    """The classes found so far, each with the name of the input that brought it."""

    def __init__(self, policy: MergePolicy, report: Report) -> None:
        self.policy, self.report = policy, report
        self.categories: list[Category] = []
        self.where: dict[str, str] = {}

    def add(self, category: Category, source: str) -> tuple[int, tuple[int, ...]]:
        """Id of the class in the result, and for each of its keypoints the index in `category`."""
        name = self.policy.rename.get(category.name, category.name)
        if name != category.name:
            message = f"{source}: class '{category.name}' is called '{name}' now."
            self.report.extend([finding("category-renamed", message)])
        known = self._find(name, source)
        if known is None:
            ids = {row.id for row in self.categories}
            new_id = category.id if category.id not in ids else max(ids) + 1
            self.categories.append(replace(category, id=new_id, name=name))
            self.where[name] = source
            return new_id, tuple(range(len(category.keypoints)))
        return known.id, self._match(known, category, source)

    def _find(self, name: str, source: str) -> Category | None:
        for row in self.categories:
            if row.name == name:
                return row
            if self.policy.ignore_case and row.name.casefold() == name.casefold():
                message = f"{source}: class '{name}' is taken as '{row.name}' of {self.where[row.name]}."
                self.report.extend([finding("category-case-merged", message)])
                return row
        return None

    def _match(self, known: Category, category: Category, source: str) -> tuple[int, ...]:
        before = self.where[known.name]
        if set(known.keypoints) != set(category.keypoints):
            raise DataError(
                f"class '{known.name}': keypoints are {_listed(known)} in {before} and {_listed(category)} in "
                f"{source}; expected the same. Give one class another name with --rename, or annotate them alike."
            )
        order = tuple(category.keypoints.index(name) for name in known.keypoints)
        if known.keypoints != category.keypoints:
            message = f"{source}: class '{known.name}' has the keypoints {_listed(category)}; put into the order of "
            self.report.extend([finding("keypoint-order-changed", f"{message}{before}: {_listed(known)}.")])
        edges = {frozenset(category.keypoints[end] for end in edge) for edge in category.skeleton}
        mine = {frozenset(known.keypoints[end] for end in edge) for edge in known.skeleton}
        if edges != mine or known.supercategory != category.supercategory:
            message = (
                f"{source}: class '{known.name}': skeleton or super-category is not that of {before}, which counts."
            )
            self.report.extend([finding("skeleton-differs", message)])
        return order

    def note_case(self) -> None:
        """Tell classes that are probably meant as one."""
        first: dict[str, str] = {}
        for row in self.categories:
            other = first.setdefault(row.name.casefold(), row.name)
            if other != row.name:
                message = (
                    f"classes '{other}' ({self.where[other]}) and '{row.name}' ({self.where[row.name]}) differ only in "
                    f"case and stay two. Use --rename '{row.name}={other}', or --ignore-case, if they are one."
                )
                self.report.extend([finding("category-name-case", message)])


def _listed(category: Category) -> str:
    return ", ".join(category.keypoints) or "none"


class _Images:
    """The images found so far, by id and by name."""

    def __init__(
        self, parts: Sequence[tuple[str, Dataset]], policy: MergePolicy, same: SamePicture, report: Report
    ) -> None:
        self.parts, self.policy, self.same, self.report = parts, policy, same, report
        self.next_id = _first_free(image.id for _, dataset in parts for image in dataset.images)
        self.by_id: dict[int, ImageRecord] = {}
        self.origin: dict[int, tuple[int, ImageRecord]] = {}
        self.of_name: dict[str, list[int]] = {}

    def add(self, number: int, image: ImageRecord) -> int:
        """The id of the image in the result."""
        prefix = self.policy.prefixes[number] if self.policy.prefixes else ""
        name = prefix + image.file_name
        others = [key for key in self.of_name.get(name, []) if self.origin[key][0] != number]
        for key in others:
            if self._is_same(key, number, image):
                message = (
                    f"{name}: is in {self._source(key)} and {self.parts[number][0]}; its objects are put together."
                )
                self.report.extend([finding("image-merged", message, image=name)])
                return key
        if others:
            name = self._other_name(name, others[0], number)
        new_id = image.id
        if new_id in self.by_id:
            new_id, self.next_id = self.next_id, self.next_id + 1
            message = f"{self.parts[number][0]}: image {image.id} ('{name}') has the id {new_id} now."
            self.report.extend([finding("image-id-renumbered", message, image=name)])
        self.by_id[new_id] = replace(image, id=new_id, file_name=name)
        self.origin[new_id] = (number, image)
        self.of_name.setdefault(name, []).append(new_id)
        return new_id

    def _source(self, key: int) -> str:
        return self.parts[self.origin[key][0]][0]

    def _is_same(self, key: int, number: int, image: ImageRecord) -> bool:
        """Whether the image is that of id `key`; an error if nobody knows."""
        before, record = self.origin[key]
        answer = self.same(before, record, number, image)
        if answer is None:
            raise DataError(
                f"{image.file_name}: is in {self._source(key)} and in {self.parts[number][0]}, and it cannot be told "
                "whether it is one picture; give the folders with --images (they are compared), or say "
                "--same-images, or keep them apart with --images-prefix."
            )
        return answer

    def _other_name(self, name: str, key: int, number: int) -> str:
        """A free name for a second picture of the name, if that is wanted."""
        source = self.parts[number][0]
        if not self.policy.rename_images:
            raise DataError(
                f"{name}: is one picture in {self._source(key)} and another in {source}; expected one picture per "
                "name. Use --copy-images FOLDER, which renames the copies, or --images-prefix."
            )
        folder, _, base = name.rpartition("/")
        new = name
        while new in self.of_name:
            base = f"{PurePath(source).stem}_{base}"
            new = f"{folder}/{base}" if folder else base
        message = f"{source}: '{name}' is called '{new}' now: {self._source(key)} has another picture of this name."
        self.report.extend([finding("image-renamed", message, image=new)])
        return new


class _Objects:
    """The objects kept so far."""

    def __init__(self, parts: Sequence[tuple[str, Dataset]], report: Report) -> None:
        self.parts, self.report = parts, report
        self.next_id = _first_free(instance.id for _, dataset in parts for instance in dataset.instances)
        self.kept: dict[int, Instance] = {}
        self.seen: dict[Instance, int] = {}

    def add(self, instance: Instance, number: int) -> None:
        """Keep an object under a free id; one that another input has just so, in the same image, only once."""
        source = self.parts[number][0]
        other = self.seen.setdefault(replace(instance, id=0), number)
        if other != number:
            message = f"{source}: annotation {instance.id} is in {self.parts[other][0]}, too, just the same; kept once."
            self.report.extend([finding("object-duplicate", message, annotation_id=instance.id)])
            return
        new_id = instance.id
        if new_id in self.kept:
            new_id, self.next_id = self.next_id, self.next_id + 1
            message = f"{source}: annotation {instance.id} has the id {new_id} now."
            self.report.extend([finding("annotation-id-renumbered", message, annotation_id=new_id)])
        self.kept[new_id] = replace(instance, id=new_id)


def _first_free(ids: Iterable[int]) -> int:
    return max(ids, default=0) + 1
