"""`kpt-tools heatmap prepare`: CAT or COCO keypoints -> patches of single objects in train, val and test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kpt_tools import __version__
from kpt_tools.annotations import cat
from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.geometry import BoxPolicy
from kpt_tools.annotations.select import find_category, select_points
from kpt_tools.annotations.split import Split, split_images, split_in_order
from kpt_tools.config.heatmap import CAT_GROUPS, HeatmapPrepareConfig
from kpt_tools.config.heatmap_manifest import FILE_NAME, HeatmapData, HeatmapSide
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.entities import Category, Dataset, Finding, ModelMetadata, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import sha256_of, staging_folder, write_json
from kpt_tools.machine import available_cores
from kpt_tools.pipeline.flips import find_flips, names_of
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.look_alikes import signatures_of
from kpt_tools.records.prepare import PreparePolicy, Sample, prepare_dataset
from kpt_tools.records.progress import Progress, silent
from kpt_tools.records.shards import TARGET_SHARD_BYTES, Record, shard_name, write_shard
from kpt_tools.stages.heatmap_records import encode_sample, read_patches
from kpt_tools.stages.picture_frames import PictureReader
from kpt_tools.stages.run_manifest import jsonable

PICTURE_NAME = "examples.jpg"
REPORT_NAME = "report.json"
EXAMPLES = 5


@dataclass(frozen=True)
class HeatmapPrepareResult:
    """What was written and what was found.

    Attributes:
        out: the folder.
        data: its manifest.
        category: the class with the keypoints that were kept.
        flip_pairs: keypoints that exchange in a mirror image.
        pictures_given: number of pictures of the source.
        objects_given: number of objects of the class in it.
        look_alikes: pairs of pictures that look nearly the same.
        picture: examples of train with their heatmaps.
        report: all findings.
    """

    out: Path
    data: HeatmapData
    category: Category
    flip_pairs: tuple[tuple[str, str], ...]
    pictures_given: int
    objects_given: int
    look_alikes: int
    picture: Path
    report: Report

    @property
    def complete(self) -> bool:
        """Whether nothing was lost."""
        return not self.report.of_severity("error")


def heatmap_prepare(config: HeatmapPrepareConfig, progress: Progress = silent) -> HeatmapPrepareResult:
    """Read, choose, split, cut out, write, read back; see docs/heatmap.md.

    Nothing is downloaded. What cannot be used is reported and left out; the outputs appear when all is done.

    Raises:
        ConfigError: the source does not exist, or it cannot be carried out as asked.
        DataError: nothing usable in it.
    """
    report = Report()
    dataset, images, is_cat = _read(config, report)
    category = find_category(dataset, config.category)
    names = _names(config, category, is_cat)
    dataset, told = select_points(dataset, category, names)
    report.extend(told)
    whole = config.whole or ("picture" if is_cat else "box")
    samples = _usable(dataset, images, config, whole, report, progress)
    pairs = _look_alikes(samples, config, progress)
    split = _split(samples, config, is_cat, pairs)
    report.extend(split.findings)
    kept = dataset.categories[0]
    label_map = label_map_of([replace(kept, id=1)])
    flips = find_flips(label_map)
    report.extend(Finding("flip-partner-missing", "warning", text) for text in flips.warnings)
    metadata = ModelMetadata(label_map, skeleton=kept.skeleton, flip_pairs=flips.pairs)
    work = _Writer(config, whole, metadata, samples, split, report, progress)
    data = work.write()
    return HeatmapPrepareResult(
        out=config.out,
        data=data,
        category=kept,
        flip_pairs=names_of(flips.pairs, label_map),
        pictures_given=len(dataset.images),
        objects_given=len(dataset.instances),
        look_alikes=len(pairs),
        picture=config.out / PICTURE_NAME,
        report=report,
    )


def _read(config: HeatmapPrepareConfig, report: Report) -> tuple[Dataset, Path, bool]:
    """The data set, the folder of its pictures, and whether it is CAT."""
    if config.source.is_dir():
        dataset, found = cat.read_cat_folder(config.source, PictureReader().size_of)
        report.extend(found.findings)
        return dataset, config.source, True
    dataset, found = read_coco(config.source)
    report.extend(found.findings)
    return dataset, config.images, False


def _names(config: HeatmapPrepareConfig, category: Category, is_cat: bool) -> tuple[str, ...]:
    if config.points is not None:
        return tuple(name.strip() for name in config.points.split(","))
    return cat.CHOSEN if is_cat else category.keypoints


def _usable(
    dataset: Dataset, images: Path, config: HeatmapPrepareConfig, whole: str, report: Report, progress: Progress
) -> list[Sample]:
    """The pictures with objects that have a labelled point; for whole pictures, one object each."""
    policy = PreparePolicy(
        BoxPolicy(from_keypoints=config.boxes_from_keypoints or whole == "picture"),
        workers=config.workers or available_cores(),
    )
    samples, findings = prepare_dataset(dataset, ImageFolder(images), policy, progress)
    report.extend(findings)
    kept = []
    for sample in samples:
        labelled = tuple(row for row in sample.instances if row.num_labelled and not row.iscrowd)
        lost = len(sample.instances) - len(labelled)
        name = sample.source.file_name
        if lost:
            text = f"{name}: {lost} object(s) without a labelled point, or crowds; left out."
            report.add("object-without-points", "error", text, image=name)
        if whole == "picture" and len(labelled) > 1:
            text = (
                f"{name}: {len(labelled)} objects; with --whole picture each picture shows one. Left out. "
                "Use --whole box."
            )
            report.add("picture-with-several-objects", "error", text, image=name)
        elif labelled:
            kept.append(replace(sample, instances=labelled))
    if not kept:
        counts = ", ".join(f"{code}: {count}" for code, count in list(report.counts().items())[:4])
        raise DataError(f"{config.source}: no usable object ({counts}); expected some. Nothing was written.")
    return kept


def _look_alikes(samples: Sequence[Sample], config: HeatmapPrepareConfig, progress: Progress) -> list[tuple[int, int]]:
    """Pairs of image ids that look nearly the same."""
    if not config.look_alikes or config.split != "groups":
        return []
    workers = config.workers or available_cores()
    found = signatures_of([sample.path for sample in samples], workers=workers, progress=progress).within()
    return [(samples[alike.index].source.id, samples[alike.other].source.id) for alike in found]


def _split(
    samples: Sequence[Sample], config: HeatmapPrepareConfig, is_cat: bool, pairs: Sequence[tuple[int, int]]
) -> Split:
    images = [sample.source for sample in samples]
    if config.split == "in-order":
        if config.group_by is not None:
            raise ConfigError("--split in-order goes by the files alone; leave --group-by out.")
        return split_in_order(images, val=config.val, test=config.test)
    group_by = config.group_by or (CAT_GROUPS if is_cat else None)
    return split_images(images, val=config.val, test=config.test, seed=config.seed, group_by=group_by, together=pairs)


class _Writer:
    """Writes shards into a hidden folder, reads them back, and moves them into place."""

    def __init__(
        self,
        config: HeatmapPrepareConfig,
        whole: str,
        metadata: ModelMetadata,
        samples: Sequence[Sample],
        split: Split,
        report: Report,
        progress: Progress,
    ) -> None:
        self.config, self.whole, self.metadata, self.report, self.progress = config, whole, metadata, report, progress
        ids = {"train": split.train, "val": split.val, "test": split.test}
        by_id = {sample.source.id: sample for sample in samples}
        self.sides = {name: [by_id[image_id] for image_id in found] for name, found in ids.items() if found}

    def write(self) -> HeatmapData:
        """Write everything; the manifest comes last."""
        out = self.config.out
        with staging_folder(out) as staging:
            sides = {name: self._side(staging, name, samples) for name, samples in self.sides.items()}
            data = HeatmapData(self.whole, sides, self._source())
            self._examples(staging, data)
            write_metadata(staging, self.metadata)
            write_json(staging / REPORT_NAME, self.report.to_dict())
            (out / FILE_NAME).unlink(missing_ok=True)
            for stale in out.glob("*.record-?????-of-?????"):
                stale.unlink()
            for path in sorted(staging.iterdir()):
                path.replace(out / path.name)
        data.write(out)
        return data

    def _side(self, staging: Path, name: str, samples: Sequence[Sample]) -> HeatmapSide:
        total = sum(sample.num_bytes for sample in samples)
        count = max(1, min(len(samples), round(total / TARGET_SHARD_BYTES)))
        paths, objects, points = [], 0, 0
        for index in range(count):
            part = samples[index * len(samples) // count : (index + 1) * len(samples) // count]
            path = staging / shard_name(name, index, count)
            tally, _ = write_shard(path, self._records(part, f"writing {name}"))
            objects += tally.images
            points += tally.labelled_keypoints
            paths.append(path)
        return HeatmapSide(
            shards={path.name: sha256_of(path) for path in paths},
            pictures=len(samples),
            objects=objects,
            points=points,
        )

    def _records(self, samples: Sequence[Sample], what: str) -> Iterator[Record]:
        for sample in self.progress(samples, what):
            count = self.metadata.label_map.num_keypoints
            yield from encode_sample(sample, self.whole, self.config.patch_px, count)

    def _examples(self, staging: Path, data: HeatmapData) -> None:
        from kpt_tools.report.contact_sheet import save_picture
        from kpt_tools.stages.heatmap_pictures import steps_sheet

        patches = read_patches(data.files(staging, "train"))
        shown = [patch for patch, _ in zip(patches, range(EXAMPLES), strict=False)]
        save_picture(steps_sheet(shown, self.metadata), staging / PICTURE_NAME)

    def _source(self) -> dict[str, Any]:
        source = self.config.source
        checksum = {"sha256": sha256_of(source)} if source.is_file() else {}
        return {
            "path": str(source),
            **checksum,
            "options": jsonable(self.config),
            "versions": {"kpt-tools": __version__},
        }
