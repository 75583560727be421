"""`kpt-tools check`: what is wrong with annotations and images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.codes import CODES, finding
from kpt_tools.annotations.geometry import BoxPolicy
from kpt_tools.config.check import CheckConfig
from kpt_tools.entities import Dataset, Report
from kpt_tools.fsio import write_json
from kpt_tools.records.image_file import Verify
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.records.prepare import PreparePolicy, fit_objects, prepare_dataset
from kpt_tools.records.progress import Progress, silent
from kpt_tools.stages.annotation_input import find_annotations


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
        report: all findings.
    """

    annotations: Path
    images: int
    usable_images: int
    instances: int
    usable_instances: int
    categories: dict[str, int]
    report: Report

    @property
    def sound(self) -> bool:
        """Whether no finding is an error."""
        return not self.report.of_severity("error")


def check(config: CheckConfig, progress: Progress = silent) -> CheckResult:
    """Check annotations and images by the rules of `make-tfrecord`; nothing is changed.

    Raises:
        ConfigError: an input does not exist.
        DataError: the JSON is not COCO.
    """
    path = find_annotations(config.annotations)
    folder = None if config.annotations_only else ImageFolder(config.images)
    dataset, report = read_coco(path)
    policy = PreparePolicy(
        BoxPolicy(config.boxes_from_keypoints, config.box_padding), cast(Verify, config.verify), config.keep_empty
    )
    usable = _usable_objects(dataset, folder, policy, report, progress)
    if not sum(usable):
        message = f"{path}: no image with a usable object; expected at least one. Nothing could be trained on it."
        report.extend([finding("nothing-usable", message)])
    result = CheckResult(
        annotations=path,
        images=len(dataset.images),
        usable_images=len(usable),
        instances=len(dataset.instances),
        usable_instances=sum(usable),
        categories={category.name: len(category.keypoints) for category in dataset.categories},
        report=report,
    )
    if config.report is not None:
        write_json(config.report, report_dict(report))
    return result


def _usable_objects(
    dataset: Dataset, folder: ImageFolder | None, policy: PreparePolicy, report: Report, progress: Progress
) -> list[int]:
    """Number of usable objects of each usable image; without a folder, sizes are taken from the JSON."""
    if folder is not None:
        samples, findings = prepare_dataset(dataset, folder, policy, progress)
        report.extend(findings)
        return [len(sample.instances) for sample in samples]
    counts = []
    for image in progress(dataset.images, "looking at annotations"):
        instances = dataset.instances_of_image[image.id]
        fitted = fit_objects(image, instances, dataset.category_by_id, policy, report.findings)
        if fitted is not None:
            counts.append(len(fitted))
    return counts


def report_dict(report: Report) -> dict[str, object]:
    """The report as JSON, with the meaning of each code that occurs."""
    meanings = {
        code: {"severity": CODES[code].severity, "meaning": CODES[code].meaning, "advice": CODES[code].advice}
        for code in report.counts()
    }
    return {**report.to_dict(), "codes": meanings}
