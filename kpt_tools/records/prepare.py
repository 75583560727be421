"""What `check`, `make-tfrecord` and `eval` do with every image: find it, look into it, fit its objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import BoxPolicy, find_apart, fit_instance
from kpt_tools.annotations.orientation import upright_instance
from kpt_tools.entities import Category, Dataset, Finding, ImageRecord, Instance
from kpt_tools.records.image_file import LoadedImage, Verify, load_image
from kpt_tools.records.image_lookup import ImageFolder, Lookup
from kpt_tools.records.parallel import map_items
from kpt_tools.records.progress import Progress, silent


@dataclass(frozen=True)
class PreparePolicy:
    """How images and objects are treated.

    Attributes:
        boxes: for objects without a usable box.
        verify: "structure" trusts whole headers, "full" decodes every pixel.
        keep_empty: images without objects are kept as background; otherwise left out.
        workers: processes that look at image files.
    """

    boxes: BoxPolicy = field(default_factory=BoxPolicy)
    verify: Verify = "structure"
    keep_empty: bool = False
    workers: int = 1


@dataclass(frozen=True)
class Sample:
    """An image that can go into a record.

    Attributes:
        source: the image as its JSON describes it.
        path: its file.
        image: the same image upright: size of the upright picture, `file_name` relative to the image folder.
        instances: its objects in upright coordinates, fit for training; with the category ids of the source.
        num_bytes: size of its file.
    """

    source: ImageRecord
    path: Path
    image: ImageRecord
    instances: tuple[Instance, ...]
    num_bytes: int

    def load(self) -> LoadedImage:
        """Read the image again, ready to be stored."""
        return load_image(self.path, (self.source.width, self.source.height), name=self.source.file_name)


@dataclass(frozen=True, slots=True)
class _Job:
    """An image to look at: its name, its size in the JSON, and its file if there is one."""

    name: str
    expected_wh: tuple[int, int]
    path: Path | None


def prepare_dataset(
    dataset: Dataset, folder: ImageFolder, policy: PreparePolicy, progress: Progress = silent
) -> tuple[list[Sample], list[Finding]]:
    """Look at every image and object of `dataset`, keeping no pixels.

    Returns:
        The usable samples in file order, and all findings.
    """
    lookups = {image.id: folder.find(image) for image in dataset.images}
    findings: list[Finding] = []
    shared = _shared_files(dataset.images, lookups, folder, findings)
    wanted = [image for image in dataset.images if image.id not in shared]
    jobs = [_Job(image.file_name, (image.width, image.height), lookups[image.id].path) for image in wanted]
    look = partial(_look, verify=policy.verify)
    looked = map_items(look, jobs, workers=policy.workers, what="looking at images", progress=progress)
    samples = []
    for image, (loaded, num_bytes) in zip(wanted, looked, strict=True):
        lookup = lookups[image.id]
        findings.extend(note for note in (lookup.problem, lookup.note) if note is not None)
        findings.extend(loaded.findings)
        if lookup.path is not None and num_bytes:
            stored = replace(image, width=loaded.width, height=loaded.height, file_name=folder.relative(lookup.path))
            fitted = _fit_moved(image, loaded, dataset, policy, findings)
            if fitted is not None:
                samples.append(Sample(image, lookup.path, stored, fitted, num_bytes))
    return samples, findings


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


def _look(job: _Job, verify: Verify) -> tuple[LoadedImage, int]:
    """What was found in an image file, without its pixels, and its size in bytes; 0 if it cannot be used."""
    if job.path is None:
        return LoadedImage(), 0
    loaded = load_image(job.path, job.expected_wh, name=job.name, verify=verify, encode=False)
    return replace(loaded, encoded=b""), len(loaded.encoded)


def _fit_moved(
    image: ImageRecord, loaded: LoadedImage, dataset: Dataset, policy: PreparePolicy, findings: list[Finding]
) -> tuple[Instance, ...] | None:
    instances = dataset.instances_of_image[image.id]
    moved = [upright_instance(instance, loaded.moved_by, *loaded.raw_wh) for instance in instances]
    upright = replace(image, width=loaded.width, height=loaded.height)
    return fit_objects(upright, moved, dataset.category_by_id, policy, findings)


def _shared_files(
    images: Sequence[ImageRecord], lookups: dict[int, Lookup], folder: ImageFolder, findings: list[Finding]
) -> set[int]:
    """Ids of images whose file is another image's, too (told)."""
    counts = Counter(lookup.path for lookup in lookups.values() if lookup.path is not None)
    shared = set()
    for image in images:
        path = lookups[image.id].path
        if path is not None and counts[path] > 1:
            shared.add(image.id)
            message = (
                f"{image.file_name}: image {image.id} and {counts[path] - 1} other of the JSON mean the file "
                f"'{folder.relative(path)}'; expected one image per file. Left out. Merge them, or keep one."
            )
            findings.append(finding("image-file-shared", message, image=image.file_name))
    return shared
