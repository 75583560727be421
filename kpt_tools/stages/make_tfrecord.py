"""`kpt-tools make-tfrecord`: COCO keypoints and images -> TFRecord shards, label map, manifest."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from kpt_tools import __version__
from kpt_tools.annotations.coco import stream_coco
from kpt_tools.annotations.codes import SEVERITY_RANK, finding
from kpt_tools.annotations.geometry import BoxPolicy
from kpt_tools.annotations.split import split_images
from kpt_tools.config.beam import HERE, BeamConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.records_manifest import SplitRecords
from kpt_tools.entities import Category, Finding, ImageRecord, LabelMap, Report
from kpt_tools.errors import DataError
from kpt_tools.fsio import sha256_of
from kpt_tools.machine import available_cores
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.records.forked import can_fork
from kpt_tools.records.image_file import Verify
from kpt_tools.records.object_store import object_store
from kpt_tools.records.parallel import Mapper
from kpt_tools.records.prepare import Looking, PreparePolicy, Sample, prepared_samples
from kpt_tools.records.progress import Progress, chunk_progress, silent
from kpt_tools.records.store import StoredDataset, StoredSamples, stored
from kpt_tools.stages.beam_places import annotations_of, beam_map, image_folder
from kpt_tools.stages.records_output import Output, write_output


@dataclass(frozen=True)
class MakeTfrecordResult:
    """What was written and what was found.

    Attributes:
        out: folder of the shards and of manifest.json.
        label_map_path: the label map written.
        label_map: its content.
        splits: what each split holds, as read back from the shards.
        images_given: number of images in the JSON files that could be read.
        instances_given: number of objects in them.
        report: all findings.
        reduced_images: number of images that are stored smaller than they are, for `max_side`.
    """

    out: Path
    label_map_path: Path
    label_map: LabelMap
    splits: dict[str, SplitRecords]
    images_given: int
    instances_given: int
    report: Report = field(default_factory=Report)
    reduced_images: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing was lost."""
        return not self.report.of_severity("error")


@dataclass(frozen=True)
class _Source:
    """One JSON with its usable samples; category ids are those of the JSON."""

    path: Path
    categories: tuple[Category, ...]
    samples: StoredSamples
    images_given: int
    instances_given: int
    sha256: str


@dataclass(frozen=True)
class _Job:
    """What all steps need; `stack` removes temporary databases and files, `mapper` runs work on Beam."""

    config: MakeTfrecordConfig
    beam: BeamConfig
    mapper: Mapper | None
    report: Report
    progress: Progress
    stack: contextlib.ExitStack


def make_tfrecord(
    config: MakeTfrecordConfig, progress: Progress = silent, beam: BeamConfig = HERE
) -> MakeTfrecordResult:
    """Convert; see docs/make-tfrecord.md for every rule.

    Everything is checked first, then written to a hidden folder, read back, and moved into place.

    Args:
        config: what to convert.
        progress: told of every image.
        beam: runner and options, to do the work with images on Apache Beam.

    Raises:
        ConfigError: an input does not exist, or the configuration cannot be carried out.
        DataError: nothing usable, or `strict` and something to complain of; nothing is written then.
        EngineError: a Beam pipeline failed.
        MissingDependencyError: a runner is named, and Apache Beam is not installed.
    """
    with contextlib.ExitStack() as stack:
        mapper = stack.enter_context(beam_map(beam, config.out, progress))
        return _make(_Job(config, beam, mapper, Report(), progress, stack))


def _make(job: _Job) -> MakeTfrecordResult:
    config, report = job.config, job.report
    train = _read_source(config.annotations, config.images, job)
    label_map = label_map_of(train.categories)
    val = None if config.val_annotations is None else _read_val_source(config.val_annotations, train, job)
    splits = _split(train, config, report) if val is None else {"train": train.samples, "val": val.samples}
    _note_shards(splits, config, report)
    if config.strict:
        _refuse_findings(report)
    sources = [train] if val is None else [train, val]
    output = Output(
        splits={
            name: _relabelled(samples, train if name == "train" else sources[-1], label_map)
            for name, samples in splits.items()
        },
        categories=tuple(replace(category, id=i) for i, category in enumerate(train.categories, start=1)),
        label_map=label_map,
        source=_provenance(config, sources),
    )
    if job.mapper is None:
        written = write_output(output, config, report, job.progress)
    else:
        from kpt_tools.stages.beam_shards import write_output_on_beam

        written = write_output_on_beam(output, config, report, job.mapper)
    return MakeTfrecordResult(
        out=config.out,
        label_map_path=config.label_map,
        label_map=label_map,
        splits=written.splits,
        images_given=sum(source.images_given for source in sources),
        instances_given=sum(source.instances_given for source in sources),
        report=report,
        reduced_images=written.reduced_images,
    )


def _read_source(annotations: Path | None, images: Path, job: _Job) -> _Source:
    config, progress = job.config, job.progress
    path, copy = job.stack.enter_context(annotations_of(annotations, job.beam))
    folder, read = image_folder(images, job.beam)
    policy = PreparePolicy(
        boxes=BoxPolicy(config.boxes_from_keypoints, config.box_padding),
        verify=cast(Verify, config.verify),
        keep_empty=config.keep_empty,
        workers=config.workers or available_cores(),
        max_side=config.max_side,
        mapper=job.mapper,
        read=read,
    )
    store = job.stack.enter_context(contextlib.closing(object_store(copy)))
    begun: list[Looking] = []

    def look_at(found: Sequence[ImageRecord]) -> Looking:
        begun.append(job.stack.enter_context(contextlib.closing(Looking(found, folder, policy, progress))))
        return begun[0]

    def on_images(found: Sequence[ImageRecord]) -> None:
        if job.mapper is None and can_fork():  # a copy looks while this process reads on
            look_at(found)

    with chunk_progress(copy, progress, passes=2) as on_chunk:
        dataset, found = stream_coco(copy, store.add, on_chunk, on_images)
    job.report.extend(found.findings)
    looking = begun[0] if begun else look_at(dataset.images)
    prepared = prepared_samples(StoredDataset(store, dataset), looking, policy)
    samples = stored(store, dataset.images, images, _told(prepared, job.report), config.max_side)
    if not any(sample.instances for sample in samples):
        raise DataError(
            f"{path}: none of its {len(dataset.images)} images and {store.num_objects} objects can be used with "
            f"the images in {images}{_worst(job.report)}; expected at least one image with an object. "
            "Nothing was written; kpt-tools check tells more."
        )
    given = len(dataset.images), store.num_objects
    return _Source(path, dataset.categories, samples, *given, sha256_of(copy))


def _told(prepared: Iterable[tuple[Sample | None, list[Finding]]], report: Report) -> Iterator[Sample | None]:
    for sample, findings in prepared:
        report.extend(findings)
        yield sample


def _worst(report: Report) -> str:
    """The most frequent losses, in brackets."""
    losses = [f for f in report.findings if f.severity != "info"]
    counts = Report(losses).counts()
    listed = ", ".join(f"{code}: {count}" for code, count in list(counts.items())[:3])
    return f" ({listed}; first: {losses[0].message})" if losses else ""


def _read_val_source(annotations: Path, train: _Source, job: _Job) -> _Source:
    val = _read_source(annotations, job.config.val_images or job.config.images, job)
    names = {category.name: category for category in train.categories}
    used = {instance.category_id for sample in val.samples for instance in sample.instances}
    for category in val.categories:
        known = names.get(category.name)
        if known is None and category.id in used:
            raise DataError(
                f"{val.path}: class '{category.name}' is not in {train.path} (classes: {', '.join(names)}); "
                "expected the same classes in both. Rename it, or export both from one project."
            )
        if known is not None and known.keypoints != category.keypoints:
            raise DataError(
                f"{val.path}: class '{category.name}' has the keypoints {', '.join(category.keypoints) or 'none'}; "
                f"in {train.path} they are {', '.join(known.keypoints) or 'none'}. Expected the same in both."
            )
    train_files = {sample.path.resolve() for sample in train.samples}
    for sample in val.samples:
        if sample.path.resolve() in train_files:
            name = sample.source.file_name
            message = f"{name}: in {train.path.name} and in {val.path.name}; it is trained on and measured on."
            job.report.extend([finding("image-in-both-splits", message, image=name)])
    return val


def _split(train: _Source, config: MakeTfrecordConfig, report: Report) -> dict[str, StoredSamples]:
    images = train.samples.sources()
    found = split_images(images, val=config.val or 0.0, seed=config.seed, group_by=config.group_by)
    report.extend(found.findings)
    inside = set(found.val)
    splits = {"train": train.samples.at(i for i, image in enumerate(images) if image.id not in inside)}
    if inside:
        splits["val"] = train.samples.at(i for i, image in enumerate(images) if image.id in inside)
    return splits


def _note_shards(splits: Mapping[str, Sequence[Sample]], config: MakeTfrecordConfig, report: Report) -> None:
    for name, samples in splits.items():
        if config.shards is not None and config.shards > len(samples):
            message = f"{name}: {config.shards} shards asked for, {len(samples)} images; one image per shard."
            report.extend([finding("shards-limited", message)])


def _refuse_findings(report: Report) -> None:
    serious = [f for f in report.findings if f.severity != "info"]
    if not serious:
        return
    serious.sort(key=lambda f: SEVERITY_RANK[f.severity])
    counts = ", ".join(f"{code}: {count}" for code, count in Report(serious).counts().items())
    raise DataError(
        f"--strict: {len(serious)} findings ({counts}); first: {serious[0].message} Nothing was written; "
        "kpt-tools check lists them all."
    )


def _relabelled(samples: StoredSamples, source: _Source, label_map: LabelMap) -> StoredSamples:
    """The samples with the label map's class ids."""
    ids = {}
    for category in source.categories:
        item = label_map.by_name(category.name)
        if item is not None:
            ids[category.id] = item.id
    if all(old == new for old, new in ids.items()):
        return samples
    return replace(samples, class_ids=ids)


def _provenance(config: MakeTfrecordConfig, sources: Sequence[_Source]) -> dict[str, Any]:
    options = {
        name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(config).items()
    }
    return {
        "annotations": [{"path": str(source.path), "sha256": source.sha256} for source in sources],
        "options": options,
        "versions": {"kpt-tools": __version__},
    }
