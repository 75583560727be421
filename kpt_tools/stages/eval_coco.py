"""The annotated images of a COCO JSON, treated as `make-tfrecord` treats them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.geometry import BoxPolicy, fit_instance
from kpt_tools.annotations.orientation import upright_instance
from kpt_tools.entities import Dataset, ImageRecord, Instance, LabelMap, LabelMapItem, Report
from kpt_tools.errors import DataError
from kpt_tools.inference.images import decode_image
from kpt_tools.records.image_file import LoadedImage, load_image
from kpt_tools.records.image_lookup import ImageFolder
from kpt_tools.stages.class_match import as_label_map, keypoint_order, match_classes
from kpt_tools.stages.eval_truth import LOST, TruthImage


@dataclass(frozen=True)
class CocoTruth:
    """A COCO JSON with its image folder, matched to a model.

    Attributes:
        dataset: the JSON.
        images: the folder of its images.
        classes: class of the model by category id; objects of other categories are left out.
        order: keypoints of the model's class as indices into the category's.
    """

    dataset: Dataset
    images: ImageFolder
    classes: Mapping[int, LabelMapItem]
    order: Mapping[int, list[int]]

    @property
    def label_map(self) -> LabelMap:
        """The classes of the model that can be measured, with their own ids and slots."""
        return LabelMap(tuple(sorted(self.classes.values(), key=lambda item: item.id)))

    @property
    def category_ids(self) -> dict[int, int]:
        """Category id by class id of the model."""
        return {item.id: category_id for category_id, item in self.classes.items()}

    def read(self, report: Report) -> Iterator[TruthImage]:
        """Load each image; one that is missing, damaged or of another size is reported and passed over."""
        for record in self.dataset.images:
            checked = self._checked_file(record, report)
            if checked is None:
                continue
            try:
                rgb = decode_image(checked.encoded, record.file_name)
            except DataError as exc:
                report.add(LOST, "error", f"{exc} Passed over.", image=record.file_name)
                continue
            yield TruthImage(record.file_name, record.id, rgb, self._instances(record, checked, report))

    def _checked_file(self, record: ImageRecord, report: Report) -> LoadedImage | None:
        """The image's file with its true size and orientation, or None (told)."""
        lookup = self.images.find(record)
        if lookup.path is None:
            told = lookup.problem.message if lookup.problem else record.file_name
            report.add(LOST, "error", f"{told} Passed over.", image=record.file_name)
            return None
        checked = load_image(lookup.path, (record.width, record.height), name=record.file_name, encode=False)
        if not checked.usable:
            told = "; ".join(finding.message for finding in checked.findings)
            report.add(LOST, "error", f"{told} Passed over.", image=record.file_name)
            return None
        return checked

    def _instances(self, record: ImageRecord, checked: LoadedImage, report: Report) -> tuple[Instance, ...]:
        """Objects of the model's classes, upright, clipped and with the model's ids."""
        kept = []
        for instance in self.dataset.instances_of_image[record.id]:
            item = self.classes.get(instance.category_id)
            if item is None:
                continue
            category = self.dataset.category_by_id[instance.category_id]
            turned = upright_instance(instance, checked.moved_by, *checked.raw_wh)
            fitted, findings = fit_instance(
                turned, category, checked.width, checked.height, BoxPolicy(), record.file_name
            )
            report.extend(findings)
            if fitted is not None:
                kept.append(as_label_map(fitted, item, self.order[instance.category_id]))
        return tuple(kept)


def coco_truth(annotations: Path, images: Path, label_map: LabelMap, report: Report) -> CocoTruth:
    """Read a COCO JSON and match its classes and keypoints to those of a model, by name.

    Raises:
        ConfigError: a file or folder is missing, or a class or keypoint of the model is not in the JSON.
        DataError: it is no COCO JSON.
    """
    folder = ImageFolder(images)
    dataset, found = read_coco(annotations)
    report.extend(found.findings)
    classes = match_classes(dataset, label_map, str(annotations))
    for category in dataset.categories:
        count = sum(instance.category_id == category.id for instance in dataset.instances)
        if category.id not in classes and count:
            message = f"{annotations}: class '{category.name}' is not one of the model's; its {count} objects left out."
            report.add("class-not-in-model", "warning", message)
    if len(classes) < len(label_map.items):
        names = ", ".join(f"'{item.name}'" for item in classes.values())
        message = (
            f"{annotations}: of the {len(label_map.items)} classes of the model, it has {names}: measured on these."
        )
        report.add("classes-not-in-truth", "info", message)
    return CocoTruth(dataset, folder, classes, keypoint_order(dataset, classes, str(annotations)))
