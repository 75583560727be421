"""Detections as pre-annotations for coco-annotator, beside the other outputs of `infer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.coco_annotator import FILE_NAME, import_ready
from kpt_tools.annotations.predicted import PointPolicy, categories_of, dataset_of
from kpt_tools.config.base import did_you_mean
from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Dataset, Detection, Finding, ImageRecord, Instance, ModelMetadata, Prediction
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json, write_json
from kpt_tools.stages.class_match import keypoint_order, match_classes
from kpt_tools.stages.picture_frames import PictureReader, to_stored

_TABLES = ("images", "categories")


@dataclass(frozen=True)
class NameMap:
    """What coco-annotator calls images and classes: names there by names here."""

    images: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)


def read_name_map(path: Path | None) -> NameMap:
    """Read ``{"images": {"here.jpg": "there.jpg"}, "categories": {"mouse": "Mouse"}}``; both are optional.

    Raises:
        ConfigError: there is no such file.
        DataError: it is not such a file.
    """
    if path is None:
        return NameMap()
    raw = read_json(path, what="name map")
    tables = raw if isinstance(raw, dict) else {}
    unknown = [key for key in tables if key not in _TABLES]
    texts = all(
        isinstance(table, dict) and all(isinstance(name, str) and name for name in table.values())
        for table in tables.values()
    )
    if not tables or unknown or not texts:
        wrong = f"unknown key '{unknown[0]}'{did_you_mean(unknown[0], _TABLES)}" if unknown else "not a name map"
        raise DataError(
            f'{path}: {wrong} Expected {{"images": {{"here.jpg": "there.jpg"}}, "categories": {{"mouse": "Mouse"}}}}.'
        )
    return NameMap(tables.get("images", {}), tables.get("categories", {}))


class PreAnnotations:
    """Collects predictions and writes them as one JSON that coco-annotator's importer keeps."""

    def __init__(self, config: InferConfig, metadata: ModelMetadata) -> None:
        """Read the name map and, if given, the annotations whose names, ids and keypoint orders count.

        Raises:
            ConfigError: a file does not exist, or the annotations lack a class or keypoint of the model.
            DataError: a file is not what it should be.
        """
        self.config, self.metadata = config, metadata
        self.names = read_name_map(config.name_map)
        unknown = [name for name in self.names.categories if metadata.label_map.by_name(name) is None]
        if unknown:
            known = [item.name for item in metadata.label_map.items]
            raise ConfigError(
                f"{config.name_map}: the model has no class '{unknown[0]}'{did_you_mean(unknown[0], known)}"
            )
        self.reader = PictureReader()
        self.rows: list[tuple[ImageRecord, Sequence[Detection]]] = []
        self.findings: list[Finding] = []
        self._used: set[str] = set()
        self._turned: dict[int, Path] = {}
        self._read_annotations()

    def _read_annotations(self) -> None:
        """Names, ids and keypoint orders of the annotations, if there are any."""
        self.records: dict[int, ImageRecord] = {}
        self.categories = categories_of(self.metadata, self.names.categories)
        self.order: dict[int, tuple[int, list[int]]] = {}
        if self.config.annotations is None:
            return
        dataset, _ = read_coco(self.config.annotations)
        where = str(self.config.annotations)
        classes = match_classes(dataset, self.metadata.label_map, where)
        orders = keypoint_order(dataset, classes, where)
        self.records = {image.id: image for image in dataset.images}
        self.order = {item.id: (key, orders[key]) for key, item in classes.items()}
        wanted = [dataset.category_by_id[key] for key in classes]
        renamed = self.names.categories
        self.categories = tuple(replace(row, name=renamed.get(row.name, row.name)) for row in wanted)

    def add(self, path: Path, prediction: Prediction, image_id: int | None) -> None:
        """Take the prediction of the image file `path`; without an id the annotations do not have it."""
        if image_id is None:
            return
        known = self.records.get(image_id)
        name = known.file_name if known else PurePosixPath(prediction.image).name
        for key in (prediction.image, PurePosixPath(prediction.image).name):
            if key in self.names.images:
                name = self.names.images[key]
                self._used.add(key)
                break
        image = ImageRecord(image_id, name, prediction.width, prediction.height)
        if self.reader.facts(path).orientation != 1:
            self._turned[image_id] = path
        own = (row for row in prediction.detections if not self.order or row.class_id in self.order)
        self.rows.append((image, [self._reordered(row) for row in own]))

    def _reordered(self, detection: Detection) -> Detection:
        """The detection with class id and keypoint order of the annotations."""
        if detection.class_id not in self.order:
            return detection
        category_id, order = self.order[detection.class_id]
        category = next(row for row in self.categories if row.id == category_id)
        points = [(0.0, 0.0, -1.0)] * len(category.keypoints)
        for place, point in zip(order, detection.keypoints_xys, strict=False):
            points[place] = point
        return replace(detection, class_id=category_id, keypoints_xys=tuple(points))

    def dataset(self) -> Dataset:
        """All predictions, in pixels as stored: coco-annotator does not look at the EXIF orientation."""
        policy = PointPolicy(self.config.confident_keypoint_score, self.config.min_keypoint_score)
        upright = dataset_of(self.rows, self.categories, policy, str(self.config.out))
        images: list[ImageRecord] = []
        instances: list[Instance] = []
        for image in upright.images:
            own = upright.instances_of_image[image.id]
            if image.id in self._turned:
                image, own = to_stored(image, own, self.reader.facts(self._turned[image.id]))
            images.append(image)
            instances += own
        return Dataset(tuple(images), upright.categories, tuple(instances), upright.source)

    def write(self, out: Path) -> Path:
        """Write the JSON into the folder `out` and return its path; what was left out is in `findings`."""
        for key in self.names.images:
            if key not in self._used:
                message = f"{self.config.name_map}: image '{key}' is none of the images that were looked at."
                self.findings.append(finding("name-map-unused", message, image=key))
        content, findings = import_ready(self.dataset())
        self.findings += findings
        return write_json(out / FILE_NAME, content, indent=None)
