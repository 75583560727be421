"""`kpt-tools convert`: annotations of one format into another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import Format, ReadOptions, WriteOptions, without_absurd
from kpt_tools.annotations.formats.registry import detect, format_of
from kpt_tools.annotations.geometry import BoxPolicy, box_of_keypoints
from kpt_tools.annotations.split import split_images
from kpt_tools.config.convert import ConvertConfig
from kpt_tools.entities import Category, Dataset, ImageRecord, Instance, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.pipeline.flips import find_flips, names_of
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.progress import Progress, silent
from kpt_tools.stages.convert_output import write_all
from kpt_tools.stages.picture_frames import PictureReader, reframed


@dataclass(frozen=True)
class ConvertResult:
    """What was converted.

    Attributes:
        from_format: the format that was read.
        source: the file or folder that was read.
        out: main file, or folder.
        images: number of images that were read.
        instances: number of objects that were read.
        copied: number of images that were copied.
        flip_pairs: pairs of keypoints that exchange in a mirror image, for formats that want to know.
        notes: keypoints whose mirror partner was not found.
        report: all findings.
    """

    from_format: str
    source: Path
    out: Path
    images: int
    instances: int
    copied: int
    flip_pairs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    report: Report


def convert(config: ConvertConfig, progress: Progress = silent) -> ConvertResult:
    """Read, move into the frame of the other format, write. Everything that is lost is told.

    Raises:
        ConfigError: an input does not exist, its format cannot be seen, or the output is in the way.
        DataError: the input is not of its format, or cannot be expressed in the other at all.
        MissingDependencyError: a package for the format is not installed.
    """
    source_format, source = _source(config)
    target = format_of(config.to_format)
    reader = PictureReader()
    folder = _image_folder(config, source_format, source)
    classes = _classes(config)
    dataset, report = source_format.read(source, ReadOptions(classes, config.category, config.images, reader.size_of))
    if not dataset.images:
        raise DataError(f"{source}: no usable image in it; nothing to convert. Export it again.")
    counts = len(dataset.images), len(dataset.instances)
    dataset, absurd = without_absurd(dataset)
    report.extend(absurd)
    work = _Frames(config, reader, folder, report)
    dataset = work.run(dataset, source_format.upright, target.upright, progress)
    if config.boxes_from_keypoints:
        dataset = with_boxes(dataset, config.box_padding, report)
    options, pairs, notes = _options(config, dataset, report)
    written = target.write(dataset, options)
    report.extend(written.findings)
    copies = {place: work.paths[key] for key, place in written.images.items() if key in work.paths}
    copies = copies if config.copy_images else {}
    inputs = [source, config.classes]
    out, copied = write_all(config.out, written.files, copies, one_file=target.is_file, inputs=inputs)
    return ConvertResult(source_format.name, source, out, *counts, copied, pairs, notes, report)


def _source(config: ConvertConfig) -> tuple[Format, Path]:
    if config.from_format is None:
        return detect(config.annotations)
    if not config.annotations.exists():
        raise ConfigError(f"{config.annotations}: no such file or folder; expected annotations. Check the path.")
    found = format_of(config.from_format)
    if found.is_file and config.annotations.is_dir():
        raise ConfigError(f"{config.annotations}: is a folder; {found.name} is one file. Name the file.")
    return found, config.annotations


def _classes(config: ConvertConfig) -> tuple[Category, ...]:
    return read_coco(config.classes)[0].categories if config.classes else ()


def _image_folder(config: ConvertConfig, source_format: Format, source: Path) -> ImageFolder | None:
    """The folder given, or for formats that live beside their images that of the annotations."""
    if config.images is not None:
        return ImageFolder(config.images)
    if source_format.is_file:
        if config.copy_images:
            raise ConfigError("--copy-images needs --images, the folder to copy from.")
        return None
    return ImageFolder(source if source.is_dir() else source.parent)


class _Frames:
    """Looks at the images and moves the objects into the frame of the other format."""

    def __init__(
        self, config: ConvertConfig, reader: PictureReader, folder: ImageFolder | None, report: Report
    ) -> None:
        self.reader, self.folder, self.report = reader, folder, report
        self.must_find = config.images is not None or config.copy_images
        self.paths: dict[int, Path] = {}

    def run(self, dataset: Dataset, upright_now: bool, upright_then: bool, progress: Progress) -> Dataset:
        """The data set in the new frame, without images whose files contradict their annotations (told)."""
        if self.folder is None:
            return dataset
        images: list[ImageRecord] = []
        instances: list[Instance] = []
        for image in progress(dataset.images, "looking at images"):
            own = dataset.instances_of_image[image.id]
            lookup = self.folder.find(image)
            if self.must_find:
                self.report.extend(row for row in (lookup.problem, lookup.note) if row is not None)
            if lookup.path is not None:
                facts = self.reader.facts(lookup.path, image.file_name)
                self.report.extend(facts.problems)
                if not facts.problems:
                    image, own, told = reframed(image, own, facts, upright_now=upright_now, upright_then=upright_then)
                    self.report.extend([told] if told else [])
                    if told and told.severity == "error":
                        continue
                    self.paths[image.id] = lookup.path
            images.append(image)
            instances += own
        return Dataset(tuple(images), dataset.categories, tuple(instances), dataset.source)


def with_boxes(dataset: Dataset, padding: float, report: Report) -> Dataset:
    """The data set with boxes made for objects that have none, but labelled points."""
    images = {image.id: image for image in dataset.images}
    instances: list[Instance] = []
    for instance in dataset.instances:
        image = images[instance.image_id]
        size = (image.width or float("inf"), image.height or float("inf"))
        made = None if instance.box_xywh_px else box_of_keypoints(instance.keypoints_xyv, *size, padding)
        if made is not None:
            message = f"{image.file_name}: annotation {instance.id}: no box; made from its labelled points."
            row = finding("box-from-keypoints", message, image=image.file_name, annotation_id=instance.id)
            report.extend([row])
            instance = replace(instance, box_xywh_px=made, area_px=instance.area_px or made[2] * made[3])
        instances.append(instance)
    return Dataset(dataset.images, dataset.categories, tuple(instances), dataset.source)


def _options(
    config: ConvertConfig, dataset: Dataset, report: Report
) -> tuple[WriteOptions, tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What the writer has to know, with flip pairs and notes for people to read."""
    flips: Mapping[int, tuple[int, ...]] = {}
    pairs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    val_ids: frozenset[int] = frozenset()
    if config.to_format == "yolo-pose":
        label_map = label_map_of(dataset.categories)
        found = find_flips(label_map, config.flip_pairs)
        pairs, notes = names_of(found.pairs, label_map), found.warnings
        for category, item in zip(dataset.categories, label_map.items, strict=True):
            start = item.keypoints[0].id if item.keypoints else 0
            flips = {**flips, category.id: tuple(found.permutation[k.id] - start for k in item.keypoints)}
        if config.val:
            split = split_images(dataset.images, val=config.val, seed=config.seed, group_by=config.group_by)
            report.extend(split.findings)
            val_ids = frozenset(split.val)
    options = WriteOptions(
        flips=flips,
        val_ids=val_ids,
        category=config.category,
        scorer=config.scorer,
        image_url=config.image_url,
        boxes=BoxPolicy(config.boxes_from_keypoints, config.box_padding),
        folder=config.out.name or "images",
    )
    return options, pairs, notes
