"""What `check`, `make-tfrecord` and `eval` do with every image: find it, look into it, fit its objects."""

from __future__ import annotations

import contextlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import BoxPolicy, find_apart, fit_instance
from kpt_tools.annotations.orientation import upright_instance
from kpt_tools.annotations.scaling import scaled_instance
from kpt_tools.entities import Category, Finding, ImageRecord, Instance
from kpt_tools.records.forked import Copies, can_fork, map_in_copies
from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.image_file import (
    LoadedImage,
    Verify,
    load_bytes,
    load_image,
    look_at_bytes,
    look_at_image,
    unchanged_jpeg,
)
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.parallel import MadeWhenAsked, Mapper, map_items
from kpt_tools.records.progress import Progress, silent

LEAST_DECODED = 16
"""For fewer images to be decoded, starting processes takes longer than the work."""
LEAST_COPIED = 200
"""For fewer images to be looked at, copying this process takes longer than it saves."""


@dataclass(frozen=True)
class PreparePolicy:
    """How images and objects are treated.

    Attributes:
        boxes: for objects without a usable box.
        verify: "structure" trusts whole headers, "full" decodes every pixel.
        keep_empty: images without objects are kept as background; otherwise left out.
        workers: processes that look at image files.
        max_side: the longer side of stored pictures at most, in pixels; None: they are stored as they are.
        mapper: has the image files looked at elsewhere, instead of `workers`.
        read: reads files that are not on this machine.
    """

    boxes: BoxPolicy = field(default_factory=BoxPolicy)
    verify: Verify = "structure"
    keep_empty: bool = False
    workers: int = 1
    max_side: int | None = None
    mapper: Mapper | None = None
    read: ReadBytes | None = None


@dataclass(frozen=True)
class Sample:
    """An image that can go into a record.

    Attributes:
        source: the image as its JSON describes it.
        path: its file.
        image: the same image as it is stored: upright, perhaps reduced; `file_name` relative to the image folder.
        instances: its objects in pixels of that, fit for training; with the category ids of the source.
        num_bytes: size of its file.
        max_side: the policy's.
        reduced: whether it is stored smaller than it is.
        plain_mtime_ns: as in `LoadedImage`.
    """

    source: ImageRecord
    path: Path
    image: ImageRecord
    instances: tuple[Instance, ...]
    num_bytes: int
    max_side: int | None = None
    reduced: bool = False
    plain_mtime_ns: int = 0

    def load(self, read: ReadBytes | None = None) -> LoadedImage:
        """Read the image again, ready to be stored; `read` does it for one that is not on this machine."""
        expected_wh, name = (self.source.width, self.source.height), self.source.file_name
        if read is None:
            if self.plain_mtime_ns:
                wh = self.image.width, self.image.height
                loaded = unchanged_jpeg(self.path, self.num_bytes, self.plain_mtime_ns, wh)
                if loaded is not None:
                    return loaded
            return load_image(self.path, expected_wh, name=name, max_side=self.max_side)
        data, suffix = read(self.path), self.path.suffix
        return load_bytes(data, expected_wh, name=name, suffix=suffix, max_side=self.max_side)


class Annotated(Protocol):
    """What is asked of a data set: a `Dataset`, or one whose objects are not in memory."""

    @property
    def images(self) -> Sequence[ImageRecord]:
        """All images, in file order."""
        ...

    @property
    def category_by_id(self) -> Mapping[int, Category]:
        """Classes by id."""
        ...

    @property
    def instances_of_image(self) -> Mapping[int, tuple[Instance, ...]]:
        """Objects by image id; every image id is a key."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """An image to look at: its name, its size in the JSON, and its file if there is one."""

    name: str
    expected_wh: tuple[int, int]
    path: Path | None


class Looking:
    """The files of images, found and being looked at; what is needed before their objects can be fitted."""

    def __init__(
        self, images: Sequence[ImageRecord], folder: ImageFolder, policy: PreparePolicy, progress: Progress = silent
    ) -> None:
        """Find the files, and begin to look at them if another process does that.

        Args:
            images: all of a data set, in file order.
            folder: their folder.
            policy: how they are looked at.
            progress: told of every image.
        """
        self.root = folder.root
        self.files, self.told = _files_of(images, folder)
        self.shared = _shared_files(images, self.files, self.told)
        self.places = _places_to_look_at(self.files)
        files, places, root = self.files, self.places, self.root

        def job_at(index: int) -> Job:
            image, file = images[places[index]], files[places[index]]
            return Job(image.file_name, (image.width, image.height), None if file is None else root / file)

        self.looked = _looked_at(MadeWhenAsked(len(places), job_at), policy, progress)

    def close(self) -> None:
        """Stop looking."""
        if isinstance(self.looked, Copies):
            self.looked.close()


def prepare_dataset(
    dataset: Annotated, folder: ImageFolder, policy: PreparePolicy, progress: Progress = silent
) -> tuple[list[Sample], list[Finding]]:
    """Look at every image and object of `dataset`, keeping no pixels.

    Returns:
        The usable samples in file order, and all findings.
    """
    samples, findings = [], []
    with contextlib.closing(Looking(dataset.images, folder, policy, progress)) as looking:
        for sample, found in prepared_samples(dataset, looking, policy):
            findings.extend(found)
            if sample is not None:
                samples.append(sample)
    return samples, findings


def prepared_samples(
    dataset: Annotated, looking: Looking, policy: PreparePolicy
) -> Iterator[tuple[Sample | None, list[Finding]]]:
    """`prepare_dataset`, one image after the other: the sample if it is usable, and what was found.

    What is found about several images at once comes first, with no sample.
    """
    yield None, looking.shared
    for place, loaded in zip(looking.places, looking.looked, strict=True):
        image, name = dataset.images[place], looking.files[place]
        found = [*looking.told.pop(place, ()), *loaded.findings]
        sample = None
        if name is not None and loaded.usable:
            instances, file = dataset.instances_of_image[image.id], (looking.root, name)
            sample = fit_sample(image, instances, loaded, file, dataset.category_by_id, policy, found)
        yield sample, found


def _looked_at(jobs: Sequence[Job], policy: PreparePolicy, progress: Progress) -> Iterator[LoadedImage]:
    what, function = "looking at images", partial(look, verify=policy.verify, max_side=policy.max_side)
    if policy.mapper is not None:
        function = partial(function, read=policy.read)
        return policy.mapper(function, jobs, what=what, failed=_unreadable, complaint=_complaint)
    if policy.verify == "full":
        return map_items(
            function, jobs, workers=policy.workers, what=what, progress=progress, least_items=LEAST_DECODED
        )
    if policy.workers > 1 and len(jobs) >= LEAST_COPIED and can_fork():
        return map_in_copies(function, jobs, copies=1, what=what, progress=progress)
    return map_items(function, jobs, workers=1, what=what, progress=progress)


def _unreadable(job: Job, reason: str) -> LoadedImage:
    message = f"{job.name}: cannot be read ({reason}). Change its rights or copy it again."
    return LoadedImage(findings=(finding("image-unreadable", message, image=job.name),))


def _complaint(job: Job, loaded: LoadedImage) -> str:
    return "" if loaded.usable else "; ".join(found.message for found in loaded.findings)


def fit_sample(
    image: ImageRecord,
    instances: Sequence[Instance],
    loaded: LoadedImage,
    file: tuple[Path, str],
    categories: Mapping[int, Category],
    policy: PreparePolicy,
    findings: list[Finding],
) -> Sample | None:
    """An image with its objects as they are stored, fit for training; None if it has to be left out.

    Args:
        image: as its JSON describes it.
        instances: its objects there.
        loaded: what its file holds.
        file: image folder and the file's name in it.
        categories: classes by id.
        policy: of the data set.
        findings: what is found is added.
    """
    root, name = file
    moved = [upright_instance(instance, loaded.moved_by, *loaded.raw_wh) for instance in instances]
    width, height = loaded.upright_wh
    fitted = fit_objects(image.stored_as(image.file_name, width, height), moved, categories, policy, findings)
    if fitted is None:
        return None
    fitted = tuple(scaled_instance(each, loaded.width / width, loaded.height / height) for each in fitted)
    stored = image.stored_as(name, loaded.width, loaded.height)
    return Sample(
        *(image, root / name, stored, fitted, loaded.num_bytes, policy.max_side, loaded.reduced),
        plain_mtime_ns=loaded.plain_mtime_ns,
    )


def fit_objects(
    image: ImageRecord,
    instances: Sequence[Instance],
    categories: Mapping[int, Category],
    policy: PreparePolicy,
    findings: list[Finding],
) -> tuple[Instance, ...] | None:
    """The usable objects of an upright image, or None if the image has to be left out for want of any."""
    findings.extend(find_apart(instances, image.file_name))
    fitted = []
    for instance in instances:
        category = categories[instance.category_id]
        usable, found = fit_instance(instance, category, image.width, image.height, policy.boxes, image.file_name)
        findings.extend(found)
        if usable is not None:
            fitted.append(usable)
    if fitted:
        return tuple(fitted)
    code, text = "image-without-objects", "no objects; left out. Annotate it, or use --keep-empty."
    if instances:
        code, text = "image-all-objects-lost", f"none of its {len(instances)} objects can be used; left out."
    elif policy.keep_empty:
        code, text = "image-kept-empty", "no objects; kept as background."
    findings.append(finding(code, f"{image.file_name}: {text}", image=image.file_name))
    return () if code == "image-kept-empty" else None


def look(job: Job, verify: Verify, max_side: int | None, read: ReadBytes | None = None) -> LoadedImage:
    """What is in an image file, without its pixels; nothing usable if there is none.

    Args:
        job: the image.
        verify: "structure" or "full".
        max_side: as in `PreparePolicy`.
        read: reads files that are not on this machine.
    """
    if job.path is None:
        return LoadedImage()
    if read is None:
        return look_at_image(job.path, job.expected_wh, name=job.name, verify=verify, max_side=max_side)
    data, suffix = read(job.path), job.path.suffix
    return look_at_bytes(data, job.expected_wh, name=job.name, suffix=suffix, verify=verify, max_side=max_side)


def _places_to_look_at(files: Sequence[str | None]) -> array[int]:
    """Those of the images whose file is no other image's, too."""
    counts = Counter(file for file in files if file is not None)
    return array("Q", (place for place, file in enumerate(files) if file is None or counts[file] == 1))


def _files_of(images: Sequence[ImageRecord], folder: ImageFolder) -> tuple[list[str | None], dict[int, list[Finding]]]:
    """The name of each image's file in the folder, and what is to be told about some of them, by their places."""
    files: list[str | None] = []
    told: dict[int, list[Finding]] = {}
    for place, image in enumerate(images):
        lookup = folder.find(image)
        files.append(image.file_name if lookup.name == image.file_name else lookup.name)  # equal texts are kept once
        notes = [note for note in (lookup.problem, lookup.note) if note is not None]
        if notes:
            told[place] = notes
    return files, told


def _shared_files(
    images: Sequence[ImageRecord], files: Sequence[str | None], told: dict[int, list[Finding]]
) -> list[Finding]:
    """Of images whose file is another image's, too: they are left out."""
    counts = Counter(file for file in files if file is not None)
    findings = []
    for place, (image, file) in enumerate(zip(images, files, strict=True)):
        if file is not None and counts[file] > 1:
            told.pop(place, None)
            message = (
                f"{image.file_name}: image {image.id} and {counts[file] - 1} other of the JSON mean the file "
                f"'{file}'; expected one image per file. Left out. Merge them, or keep one."
            )
            findings.append(finding("image-file-shared", message, image=image.file_name))
    return findings
