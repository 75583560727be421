"""The values that flow between the rooms: what was annotated, what was predicted, what was found.

Everything here is immutable. Pixel coordinates are those of the image as stored (before EXIF
orientation), with x to the right and y down, and the origin at the outer corner of the first pixel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

BoxXywhPx = tuple[float, float, float, float]
"""x, y of the upper left corner, width, height; in pixels."""

KeypointXyv = tuple[float, float, int]
"""x, y in pixels and COCO's visibility: 0 not labelled, 1 labelled but hidden, 2 labelled and visible."""

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Category:
    """A class of objects with its keypoints.

    Attributes:
        id: the id in the source file; any integer, not necessarily contiguous.
        name: as annotated.
        keypoints: names in annotation order; empty for a class with boxes only.
        skeleton: pairs of 0-based indices into `keypoints` (COCO files have them 1-based).
    """

    id: int
    name: str
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    supercategory: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image as its JSON describes it; `source_path` is coco-annotator's ``path`` ("" if absent)."""

    id: int
    file_name: str
    width: int
    height: int
    source_path: str = ""

    def stored_as(self, file_name: str, width: int, height: int) -> ImageRecord:
        """The same image under that name and of that size; itself, if it is so already."""
        if (self.file_name, self.width, self.height) == (file_name, width, height):
            return self
        return replace(self, file_name=file_name, width=width, height=height)


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object.

    Attributes:
        box_xywh_px: None where the source has no usable box (absent, or ``[0, 0, 0, 0]``).
        area_px: the source's ``area``; 0.0 where absent.
        keypoints_xyv: exactly as many as the category has, or empty if none was annotated.
        segmentation: polygons as flat x, y, x, y, ... tuples; empty for RLE masks.
    """

    id: int
    image_id: int
    category_id: int
    box_xywh_px: BoxXywhPx | None
    area_px: float = 0.0
    keypoints_xyv: tuple[KeypointXyv, ...] = ()
    iscrowd: bool = False
    segmentation: tuple[tuple[float, ...], ...] = ()

    @property
    def num_labelled(self) -> int:
        """Number of keypoints with v > 0."""
        return sum(v > 0 for _, _, v in self.keypoints_xyv)


@dataclass(frozen=True)
class Dataset:
    """Images, classes and objects of one source."""

    images: tuple[ImageRecord, ...]
    categories: tuple[Category, ...]
    instances: tuple[Instance, ...]
    source: str = ""

    @cached_property
    def category_by_id(self) -> Mapping[int, Category]:
        """Categories by source id."""
        return {category.id: category for category in self.categories}

    @cached_property
    def instances_of_image(self) -> Mapping[int, tuple[Instance, ...]]:
        """Objects by image id, in file order; every image id is a key."""
        table: dict[int, list[Instance]] = {image.id: [] for image in self.images}
        for instance in self.instances:
            table[instance.image_id].append(instance)
        return {image_id: tuple(found) for image_id, found in table.items()}


@dataclass(frozen=True, slots=True)
class KeypointLabel:
    """One keypoint slot of the label map.

    Attributes:
        id: 0-based and unique over all classes: the slot in the records and in the model's output.
        label: unique over all classes (the class name is put before a name that two classes share).
        name: the name within its class, as annotated.
    """

    id: int
    label: str
    name: str


@dataclass(frozen=True, slots=True)
class LabelMapItem:
    """A class of the label map; `id` runs 1..C."""

    id: int
    name: str
    keypoints: tuple[KeypointLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What the records, the pipeline.config and the model agree on."""

    items: tuple[LabelMapItem, ...]

    @property
    def num_keypoints(self) -> int:
        """sum(K): the number of keypoint slots that every instance carries."""
        return sum(len(item.keypoints) for item in self.items)

    def by_name(self, name: str) -> LabelMapItem | None:
        """The item of that exact name."""
        return next((item for item in self.items if item.name == name), None)


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a detector knows about its objects; stored as ``kpt_tools.json`` beside an exported model.

    Attributes:
        label_map: classes and keypoint slots.
        skeleton: pairs of keypoint slot ids, for drawing.
        sigmas: OKS sigma per slot.
        flip_pairs: pairs of slot ids that exchange under a horizontal flip.
        input_hw: height and width that the network works at.
    """

    label_map: LabelMap
    skeleton: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    input_hw: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected object.

    Attributes:
        class_id: id in the label map, 1..C.
        class_name: its name.
        score: 0..1.
        box_xywh_px: in the original image.
        keypoints_xys: x, y in pixels of the original image and a score 0..1, in the order of the
            class's own keypoints; empty for a class without keypoints.
        track_id: number of the object over the pictures of a sequence, from 1; None where nothing was tracked, or
            the object is seen for the first time.
    """

    class_id: int
    class_name: str
    score: float
    box_xywh_px: BoxXywhPx
    keypoints_xys: tuple[tuple[float, float, float], ...] = ()
    track_id: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The detections of one image, best score first. `image` is the path or name that it came from."""

    image: str
    width: int
    height: int
    detections: tuple[Detection, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth knowing about the data.

    Attributes:
        code: stable, for example ``"image-missing"``.
        severity: "error" stops or loses something, "warning" changes something, "info" is only told.
        message: one line: where, what was found, what was expected, what was or is to be done.
        image: file name, or "".
        annotation_id: source id, or None.
    """

    code: str
    severity: Severity
    message: str
    image: str = ""
    annotation_id: int | None = None


@dataclass
class Report:
    """A collector of findings; the one mutable value, owned by the stage that fills it.

    Attributes:
        findings: those that were kept, in order of arrival.
        limit: of each code keep at most so many; None: all.
        left_out: how many of each code were not kept; they are counted like the others.
    """

    findings: list[Finding] = field(default_factory=list)
    limit: int | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    _kept: Counter[str] = field(default_factory=Counter, repr=False)

    def add(
        self, code: str, severity: Severity, message: str, *, image: str = "", annotation_id: int | None = None
    ) -> None:
        """Append a finding."""
        self.extend([Finding(code, severity, message, image, annotation_id)])

    def extend(self, findings: Iterable[Finding]) -> None:
        """Append several findings."""
        if self.limit is None:
            self.findings.extend(findings)
            return
        for finding in findings:
            if self._kept[finding.code] < self.limit:
                self._kept[finding.code] += 1
                self.findings.append(finding)
            else:
                self.left_out[finding.code] += 1

    def counts(self) -> dict[str, int]:
        """Number of findings per code, most frequent first."""
        return dict((Counter(finding.code for finding in self.findings) + self.left_out).most_common())

    def of_severity(self, severity: Severity) -> list[Finding]:
        """The findings of one severity, in order of arrival."""
        return [finding for finding in self.findings if finding.severity == severity]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form: counts per code and every finding."""
        rows = [
            {
                "code": f.code,
                "severity": f.severity,
                "message": f.message,
                "image": f.image,
                "annotation_id": f.annotation_id,
            }
            for f in self.findings
        ]
        left_out = {"not_listed": dict(self.left_out)} if self.left_out else {}
        return {"counts": self.counts(), "findings": rows, **left_out}
