"""`kpt-tools heatmap infer`: the points of one object per picture, or of one per box that another model found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kpt_tools.config.heatmap import HeatmapInferConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Detection, Finding, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import sha256_of
from kpt_tools.heatmap.finder import PointFinder, detection_of
from kpt_tools.heatmap.spec import FILE_NAME, HeatmapSpec
from kpt_tools.inference.engine import ImageRgb, RawDetections
from kpt_tools.stages.heatmap_boxes import FoundBoxes
from kpt_tools.stages.heatmap_model import finder_of, heatmap_folder
from kpt_tools.stages.infer import InferResult, infer
from kpt_tools.stages.run_manifest import jsonable

OnEvent = Callable[[dict[str, Any]], None]


class HeatmapDetector:
    """A heatmap model in the place of a detector: what it finds has the form that detectors give.

    It finds one object per picture, or one per box. Its boxes are those given, else made from the points.
    """

    def __init__(self, finder: PointFinder, boxes: FoundBoxes | None = None) -> None:
        """Take a finder, and the boxes to look into.

        Raises:
            ConfigError: a model of crops, and nothing tells it where to look.
        """
        spec = finder.engine.spec
        if not finder.can_start and boxes is None:
            raise ConfigError(
                f"--model: a model of region '{spec.region}' is shown crops around points and has to be told where; "
                "give a model of region whole or both with --first, or boxes with keypoints with --boxes."
            )
        if not finder.can_start and boxes is not None and boxes.num_points != spec.num_keypoints and boxes.count():
            raise ConfigError(
                f"{boxes.path}: has {boxes.num_points or 'no common number of'} keypoints per object; expected "
                f"{spec.num_keypoints} to start from, for a model of region '{spec.region}'. Give a model with --first."
            )
        self.finder, self.boxes = finder, boxes

    @property
    def metadata(self) -> ModelMetadata:
        """Class and keypoints of the model."""
        return self.finder.engine.metadata

    @property
    def batch_size(self) -> int:
        """One picture at a time."""
        return 1

    @property
    def calls(self) -> int:
        """One, too."""
        return 1

    def detect(self, image: ImageRgb) -> RawDetections:
        """One object in a picture; see `kpt_tools.inference.engine.Engine.detect`."""
        return self._raw([self._whole(image)], image)

    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """One object in each picture."""
        return [self.detect(image) for image in images]

    def detect_named(self, image: ImageRgb, name: str) -> RawDetections:
        """One object in a picture, or one per box that belongs to its name."""
        if self.boxes is None:
            return self.detect(image)
        size = image.shape[1], image.shape[0]
        found = []
        for box in self.boxes.of(name):
            start = None if self.finder.can_start else box.points
            points = self.finder.find(image, box.box_xywh_px, start)
            found.append(replace(detection_of(points, self.metadata, size, box.box_xywh_px), score=box.score))
        return self._raw(found, image)

    def _whole(self, image: ImageRgb) -> Detection:
        return detection_of(self.finder.find(image), self.metadata, (image.shape[1], image.shape[0]), None)

    def _raw(self, found: Sequence[Detection], image: ImageRgb) -> RawDetections:
        """Detections as arrays, from 0 to 1 over the picture."""
        height, width = image.shape[:2]
        count, points = len(found), self.finder.engine.spec.num_keypoints
        boxes = np.array([each.box_xywh_px for each in found], np.float64).reshape(count, 4)
        x, y, w, h = boxes.T
        xys = np.array([each.keypoints_xys for each in found], np.float64).reshape(count, points, 3)
        return {
            "detection_boxes": np.stack([y / height, x / width, (y + h) / height, (x + w) / width], axis=1),
            "detection_classes": np.ones(count),
            "detection_scores": np.array([each.score for each in found], np.float64),
            "detection_keypoints": xys[:, :, 1::-1] / (height, width),
            "detection_keypoint_scores": xys[:, :, 2],
        }


def heatmap_infer(config: HeatmapInferConfig, on_event: OnEvent = lambda event: None) -> InferResult:
    """Find the points in all pictures that the inputs name; results and files are those of `kpt-tools infer`.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", ...}`` and ``{"kind": "image", ...}``.

    Raises:
        ConfigError: no image, no model, models that do not fit, or an output folder of something else.
        DataError: damaged boxes or annotations.
        EngineError: the model cannot be loaded or run.
    """
    on_event({"kind": "phase", "name": "loading the model"})
    finder = finder_of(config.model, config.first, config.decoding)
    class_name = finder.engine.metadata.label_map.items[0].name
    boxes = FoundBoxes(config.boxes, class_name, config.min_score) if config.boxes else None
    detector = HeatmapDetector(finder, boxes)
    own = InferConfig(
        inputs=config.inputs,
        model=config.model,
        out=config.out,
        annotations=config.annotations,
        min_score=0.0,
        min_keypoint_score=config.min_keypoint_score,
        no_images=config.no_images,
        contact_sheet=config.contact_sheet,
        to_coco_annotator=config.to_coco_annotator,
        max_frames=config.max_frames,
        overwrite=config.overwrite,
    )
    told = _findings(finder.engine.spec, boxes, config)
    result = infer(own, on_event, engine=detector, detect=detector.detect_named, more=_settings(config, told))
    return replace(result, findings=(*result.findings, *told))


def _findings(spec: HeatmapSpec, boxes: FoundBoxes | None, config: HeatmapInferConfig) -> list[Finding]:
    """What the model was not trained for."""
    if boxes is None and spec.whole == "box":
        text = "the model was trained on boxes; without --boxes each whole picture is taken for one."
        return [Finding("picture-for-box", "warning", f"{config.model}: {text}")]
    if boxes is not None and spec.whole == "picture" and spec.region == "whole":
        text = "the model was trained on whole pictures; the crops around boxes are new to it."
        return [Finding("box-for-picture", "warning", f"{config.model}: {text}")]
    return []


def _settings(config: HeatmapInferConfig, told: Sequence[Finding]) -> dict[str, Any]:
    """What `infer` does not know and run.json shall hold: the heatmap settings, and checksums of models and boxes."""
    models = {"model": config.model, **({"first": config.first} if config.first else {})}
    files = {name: heatmap_folder(folder) / FILE_NAME for name, folder in models.items()}
    files |= {"boxes": config.boxes} if config.boxes else {}
    return {
        "heatmap": {
            "config": jsonable(config),
            "sha256": {name: sha256_of(file) for name, file in files.items()},
            "findings": [finding.message for finding in told],
        }
    }
