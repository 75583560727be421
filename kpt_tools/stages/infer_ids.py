"""Which image and category ids the outputs of `infer` use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kpt_tools.entities import Dataset, Finding, ImageRecord, LabelMap
from kpt_tools.stages.class_match import match_classes


@dataclass(frozen=True)
class OutputIds:
    """What the outputs call images and classes.

    Attributes:
        category: category id by class id of the model; classes that are not in it keep their own.
        left_out: class ids whose detections have no id there and stay out of predictions.json.
        findings: what is to be told about classes.
        annotated: the images of the annotations whose ids count; None: images are numbered 1, 2, 3 ...
    """

    category: Mapping[int, int] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()
    annotated: AnnotatedImages | None = None

    def image(self, name: str, position: int) -> int | None:
        """The id of the image of this name, the `position`-th (from 0) of all; None if it has none."""
        if self.annotated is None:
            return position + 1
        known = self.annotated.of(name)
        return known.id if known else None

    def size_wh(self, name: str) -> tuple[int, int] | None:
        """Its width and height as the annotations have them; None where they do not."""
        known = self.annotated.of(name) if self.annotated else None
        return (known.width, known.height) if known and (known.width or known.height) else None

    def without_id(self, name: str) -> tuple[Finding, ...]:
        """Why an image has no id, if it has none."""
        if self.annotated is None or self.annotated.of(name) is not None:
            return ()
        return (self.annotated.unknown(name),)


def ids_from_annotations(path: Path, label_map: LabelMap) -> OutputIds:
    """The ids that a COCO JSON gives to images and classes of its names.

    Raises:
        ConfigError: no such file; or a class of the model is not in it, or only in another case.
        DataError: it is no COCO JSON.
    """
    from kpt_tools.annotations.coco import read_coco

    dataset, _ = read_coco(path)
    category = {item.id: source_id for source_id, item in match_classes(dataset, label_map, str(path)).items()}
    left_out = frozenset(item.id for item in label_map.items) - frozenset(category)
    findings: tuple[Finding, ...] = ()
    if left_out:
        count = len(label_map.items)
        message = f"{path}: has {len(category)} of the model's {count} classes; detections of others are in the CSV."
        findings = (Finding("classes-without-id", "info", message),)
    return OutputIds(category, left_out, findings, AnnotatedImages(dataset, str(path)))


class AnnotatedImages:
    """The images of annotations by name: by file name, or by base name if only one has that."""

    def __init__(self, dataset: Dataset, where: str) -> None:
        """Take the images of a JSON.

        Args:
            dataset: what it holds.
            where: its name, for messages.
        """
        self.where = where
        self._exact: dict[str, list[ImageRecord]] = defaultdict(list)
        self._base: dict[str, list[ImageRecord]] = defaultdict(list)
        for image in dataset.images:
            self._exact[image.file_name].append(image)
            self._base[PurePosixPath(image.file_name).name].append(image)

    def of(self, name: str) -> ImageRecord | None:
        """The image of this path below the input folder; None if there is none, or no telling which."""
        found = self._all(name)
        return found[0] if len(found) == 1 else None

    def unknown(self, name: str) -> Finding:
        """Why there is none."""
        found = self._all(name)
        what = f"{len(found)} images of this name" if found else "no image of this name"
        message = f"{self.where}: has {what}: '{name}'; its detections are in the CSV, not in the JSON."
        return Finding("image-without-id", "warning", message, name)

    def _all(self, name: str) -> list[ImageRecord]:
        return self._exact.get(name) or self._base.get(PurePosixPath(name).name, [])
