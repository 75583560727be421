"""`kpt-tools check`: what is wrong with annotations and images."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from kpt_tools.annotations.checks.file import UNREADABLE, unreadable
from kpt_tools.annotations.checks.poses import PoseScore
from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.geometry import BoxPolicy
from kpt_tools.annotations.statistics import DatasetStatistics, statistics_of
from kpt_tools.config.beam import HERE, BeamConfig
from kpt_tools.config.check import CheckConfig
from kpt_tools.entities import Dataset, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_bytes, write_json, write_text
from kpt_tools.machine import available_cores
from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.image_file import Verify
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.parallel import Mapper
from kpt_tools.records.prepare import PreparePolicy, Sample, fit_objects, prepare_dataset
from kpt_tools.records.progress import Progress, silent
from kpt_tools.stages.annotation_checks import AnnotationChecks, check_annotations
from kpt_tools.stages.beam_places import annotations_of, beam_map, image_folder, output_file
from kpt_tools.stages.check_page import PageSource, page_of
from kpt_tools.stages.outputs import refuse_overwriting
from kpt_tools.stages.picture_checks import Looking, OtherSide, PictureChecks, compare_pictures, unlisted_pictures
from kpt_tools.stages.report_document import report_dict

WORST_POSES = 20


@dataclass(frozen=True)
class CheckResult:
    """What was checked and found.

    Attributes:
        annotations: the JSON.
        images: number of images in it that could be read.
        usable_images: number that `make-tfrecord` would use.
        instances: number of objects in the JSON that could be read.
        usable_instances: number that `make-tfrecord` would use.
        categories: number of keypoints per class.
        flip_pairs: per class, the names of keypoints that exchange under a flip.
        statistics: the data set in numbers.
        worst_poses: the most unusual poses.
        report: all findings.
    """

    annotations: Path
    images: int
    usable_images: int
    instances: int
    usable_instances: int
    categories: dict[str, int]
    flip_pairs: dict[str, tuple[tuple[str, str], ...]]
    statistics: DatasetStatistics
    worst_poses: tuple[PoseScore, ...]
    report: Report

    @property
    def sound(self) -> bool:
        """Whether no finding is an error."""
        return not self.report.of_severity("error")


def check(config: CheckConfig, progress: Progress = silent, beam: BeamConfig = HERE) -> CheckResult:
    """Check annotations and images by the rules of `make-tfrecord`; nothing is changed.

    Args:
        config: what to check.
        progress: told of every image.
        beam: runner and options, to look at the images on Apache Beam.

    Raises:
        ConfigError: an input does not exist, or an output is an input.
        DataError: the JSON of the other side is not COCO.
        EngineError: a Beam pipeline failed.
        MissingDependencyError: a package is not installed that the HTML page or Beam needs.
    """
    with contextlib.ExitStack() as stack:
        path, copy = stack.enter_context(annotations_of(config.annotations, beam))
        refuse_overwriting([path, config.against], {"--report": config.report, "--html": config.html})
        folder, read = (None, None) if config.annotations_only else image_folder(config.images, beam)
        if read is not None and config.html is not None:
            raise ConfigError(f"--html shows pictures of {config.images}, which are not on this machine. Leave it out.")
        other = _other_side(config, beam, stack)
        beside = config.report.parent if config.report is not None else Path()
        mapper = stack.enter_context(beam_map(beam, beside, progress))
        return _Check(config, progress, mapper, read).run(path, copy, folder, other)


def _other_side(config: CheckConfig, beam: BeamConfig, stack: contextlib.ExitStack) -> OtherSide | None:
    if config.against is None:
        return None
    path, copy = stack.enter_context(annotations_of(config.against, beam))
    return OtherSide(copy, path.name, *image_folder(config.against_images or config.images, beam))


@dataclass(frozen=True)
class _Check:
    """The steps of `check`, with what they share."""

    config: CheckConfig
    progress: Progress
    mapper: Mapper | None
    read: ReadBytes | None

    def run(self, path: Path, copy: Path, folder: ImageFolder | None, other: OtherSide | None) -> CheckResult:
        config = self.config
        dataset, report = _read(copy)
        if not UNREADABLE.isdisjoint(report.counts()):
            folder = None  # else every picture would be told as one that the JSON does not name
        checks = check_annotations(dataset, config.flip_pairs, self.progress)
        report.extend(checks.findings)
        samples, usable = self._usable_objects(dataset, folder, report)
        if not sum(usable):
            message = f"{path}: no image with a usable object; expected at least one. Nothing could be trained on it."
            report.extend([finding("nothing-usable", message)])
        pictures = self._compare(dataset, samples, folder, other, report)
        result = CheckResult(
            annotations=path,
            images=len(dataset.images),
            usable_images=len(usable),
            instances=len(dataset.instances),
            usable_instances=sum(usable),
            categories={category.name: len(category.keypoints) for category in dataset.categories},
            flip_pairs=_named_pairs(dataset, checks),
            statistics=statistics_of(dataset),
            worst_poses=checks.poses[:WORST_POSES],
            report=report,
        )
        if config.report is not None:
            with output_file(config.report) as place:
                write_json(place, result_dict(result))
        if config.html is not None:
            source = PageSource(dataset, folder, checks, pictures, result.worst_poses, result.statistics, report)
            counts = (result.usable_images, result.usable_instances)
            write_text(config.html, page_of(source, path, counts, self.progress))
        return result

    def _usable_objects(
        self, dataset: Dataset, folder: ImageFolder | None, report: Report
    ) -> tuple[list[Sample], list[int]]:
        """Usable images, and the number of usable objects of each; without a folder, sizes are taken from the JSON."""
        policy = self._policy()
        if folder is not None:
            samples, findings = prepare_dataset(dataset, folder, policy, self.progress)
            report.extend(findings)
            return samples, [len(sample.instances) for sample in samples]
        counts = []
        for image in self.progress(dataset.images, "looking at annotations"):
            instances = dataset.instances_of_image[image.id]
            fitted = fit_objects(image, instances, dataset.category_by_id, policy, report.findings)
            if fitted is not None:
                counts.append(len(fitted))
        return [], counts

    def _policy(self) -> PreparePolicy:
        config = self.config
        boxes = BoxPolicy(config.boxes_from_keypoints, config.box_padding)
        workers = config.workers or available_cores()
        verify = cast(Verify, config.verify)
        return PreparePolicy(boxes, verify, config.keep_empty, workers, mapper=self.mapper, read=self.read)

    def _compare(
        self,
        dataset: Dataset,
        samples: list[Sample],
        folder: ImageFolder | None,
        other: OtherSide | None,
        report: Report,
    ) -> PictureChecks:
        if folder is None:
            return PictureChecks()
        report.extend(unlisted_pictures(dataset, folder))
        looking = Looking(self.config.workers or available_cores(), self.progress, self.mapper)
        pictures = compare_pictures(samples, other, within=self.config.look_alikes, looking=looking, read=self.read)
        report.extend(pictures.findings)
        return pictures


def _read(path: Path) -> tuple[Dataset, Report]:
    """The data set; an empty one, with the reason as a finding, if the file is no COCO JSON."""
    try:
        return read_coco(path)
    except DataError as exc:
        return Dataset((), (), (), str(path)), Report([unreadable(read_bytes(path, what="COCO JSON"), exc)])


def _named_pairs(dataset: Dataset, checks: AnnotationChecks) -> dict[str, tuple[tuple[str, str], ...]]:
    return {
        category.name: tuple(
            (category.keypoints[a], category.keypoints[b]) for a, b in checks.flip_pairs.get(category.id, ())
        )
        for category in dataset.categories
    }


def result_dict(result: CheckResult) -> dict[str, Any]:
    """The result as JSON: counts, meanings of the codes that occur (the worst first), findings, statistics."""
    return {
        "annotations": str(result.annotations),
        "usable": {"images": result.usable_images, "objects": result.usable_instances},
        **report_dict(result.report, str(result.annotations)),
        "flip_pairs": result.flip_pairs,
        "worst_poses": [asdict(score) for score in result.worst_poses],
        "statistics": result.statistics.to_dict(),
    }
