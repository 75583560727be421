"""Detect in images: COCO results, a table, annotated pictures."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpt_tools.annotations.formats.coco_annotator import FILE_NAME as PRE_ANNOTATIONS_NAME
from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Finding, ModelMetadata, Prediction, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections
from kpt_tools.inference.sinks import CocoSink, CsvSink, coco_results, csv_table
from kpt_tools.inference.sources import SourceImage, Sources
from kpt_tools.stages.engine_choice import EngineChoice, choose_engine
from kpt_tools.stages.infer_ids import OutputIds, ids_from_annotations, numbered
from kpt_tools.stages.pre_annotations import PreAnnotations
from kpt_tools.stages.run_export import exported_for, known_origin, origin_findings
from kpt_tools.stages.run_manifest import FILE_NAME as MANIFEST_NAME
from kpt_tools.stages.run_manifest import run_manifest

if TYPE_CHECKING:
    from PIL import Image

JSON_NAME = "predictions.json"
CSV_NAME = "predictions.csv"
PICTURES_NAME = "pictures"
SHEET_NAME = "contact_sheet.jpg"
UNREADABLE = "image-unreadable"
SHEET_PICTURES = 24
SHEET_TILE_PX = 400

OnEvent = Callable[[dict[str, Any]], None]
DetectNamed = Callable[[ImageRgb, str], RawDetections]
"""Detects in a picture of this name."""


@dataclass(frozen=True)
class InferResult:
    """What was done.

    Attributes:
        out: the folder of all outputs.
        model: the exported folder that was used, or None if an engine was given.
        images: number of images that were read and looked at.
        empty: number of these without a detection.
        detections: number per class name, in label-map order, also of classes that were not found.
        findings: everything worth knowing; see `failed` for the images that were lost.
        seconds: spent in the engine.
        contact_sheet: its path, if one was asked for.
        pre_annotations: the file for coco-annotator, if it was asked for.
        engine: what ran the model, such as "onnx, float32".
    """

    out: Path
    model: Path | None
    images: int
    empty: int
    detections: dict[str, int]
    findings: tuple[Finding, ...]
    seconds: float
    contact_sheet: Path | None
    pre_annotations: Path | None = None
    engine: str = ""

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The images that could not be read."""
        return tuple(finding for finding in self.findings if finding.code == UNREADABLE)

    @property
    def lost(self) -> tuple[Finding, ...]:
        """All that is missing in an output: unreadable images, and pre-annotations that had to be left out."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def images_per_second(self) -> float | None:
        """Speed of the engine alone; None if no image was looked at."""
        return self.images / self.seconds if self.images and self.seconds > 0 else None


def infer(
    config: InferConfig,
    on_event: OnEvent = lambda event: None,
    *,
    engine: Engine | None = None,
    detect: DetectNamed | None = None,
) -> InferResult:
    """Detect in all images that the inputs name.

    Unreadable images are reported and passed over. ``predictions.json`` and ``predictions.csv`` appear
    when all images are done; each annotated picture appears when its image is done.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", "name": ...}`` and ``{"kind": "image", "done": ..., "total": ...}``.
        engine: the engine to use instead of loading `config.model`.
        detect: what to do with each picture in the place of the engine's `detect`, where that needs its name.

    Raises:
        ConfigError: no image, no model, or an output folder that belongs to something else.
        DataError: the model's files contradict each other, or the annotations are damaged.
        EngineError: the model cannot be loaded or run.
        MissingDependencyError: the engine's package is not installed.
    """
    sources = Sources(config.inputs, exclude=config.out)
    images = tuple(sources)
    choice = EngineChoice.of(engine) if engine else _choice(config, on_event)
    metadata = choice.metadata
    ids = _ids(config, images, metadata)
    pre_annotations = PreAnnotations(config, metadata) if config.to_coco_annotator else None
    _refuse_foreign(config.out)
    origin = known_origin(choice.folder)
    report = Report([*sources.findings(), *ids.findings, *choice.findings, *origin_findings(choice.folder, origin)])
    with run_manifest(config.out, "infer", config, choice.files) as manifest:
        manifest["engine"] = choice.text
        on_event({"kind": "phase", "name": "loading the model"})
        work = _Work(config, choice.open(), report, len(images), pre_annotations, detect)
        work.run(images, ids, on_event)
        result = work.result(choice)
        manifest["checkpoint"] = origin.to_dict() if origin else None
        manifest["images"] = result.images
        manifest["detections"] = result.detections
        manifest["report"] = report.to_dict()
    return result


def _choice(config: InferConfig, on_event: OnEvent) -> EngineChoice:
    return choose_engine(exported_for(config.model, config.checkpoint, on_event), config.engine, config.precision)


class _Work:
    """One pass over the images, and the counts that it leaves."""

    def __init__(
        self,
        config: InferConfig,
        engine: Engine,
        report: Report,
        total: int,
        pre_annotations: PreAnnotations | None,
        detect: DetectNamed | None,
    ) -> None:
        self.config, self.engine, self.report, self.total = config, engine, report, total
        self.detect = detect or (lambda rgb, name: engine.detect(rgb))
        self.pictures = _Pictures(config, engine.metadata, total)
        self.counts: Counter[str] = Counter()
        self.pre_annotations = pre_annotations
        self.images = self.empty = 0
        self.seconds = 0.0

    def run(self, sources: tuple[SourceImage, ...], ids: OutputIds, on_event: OnEvent) -> None:
        """Detect in every image and hand the predictions to the sinks."""
        label_map = self.engine.metadata.label_map
        with contextlib.ExitStack() as stack:
            to_json = stack.enter_context(coco_results(self.config.out / JSON_NAME, ids.category))
            to_csv = stack.enter_context(csv_table(self.config.out / CSV_NAME, label_map))
            on_event({"kind": "phase", "name": "detecting"})
            for number, source in enumerate(sources):
                rgb = self._load(source)
                if rgb is not None:
                    prediction = self._detect(rgb, source.name)
                    self._check_size(prediction, ids)
                    self._write(prediction, ids, to_json, to_csv)
                    if self.pre_annotations is not None and source.path is not None:
                        self.pre_annotations.add(source.path, prediction, ids.image.get(source.name))
                    self.pictures.add(number, rgb, prediction)
                on_event({"kind": "image", "done": number + 1, "total": self.total})

    def result(self, choice: EngineChoice) -> InferResult:
        """The counts, after writing the contact sheet."""
        names = [item.name for item in self.engine.metadata.label_map.items]
        pre_annotations = self.pre_annotations.write(self.config.out) if self.pre_annotations else None
        self.report.extend(self.pre_annotations.findings if self.pre_annotations else ())
        sheet = self.pictures.write_sheet()
        _tell_older(self.config.out, {sheet, pre_annotations, *self.pictures.written}, self.report)
        return InferResult(
            out=self.config.out,
            model=choice.folder,
            engine=choice.text,
            images=self.images,
            empty=self.empty,
            detections={name: self.counts[name] for name in names},
            findings=tuple(self.report.findings),
            seconds=self.seconds,
            contact_sheet=sheet,
            pre_annotations=pre_annotations,
        )

    def _load(self, source: SourceImage) -> ImageRgb | None:
        try:
            return source.load()
        except DataError as exc:
            self.report.add(UNREADABLE, "error", f"{exc} Passed over.", image=source.name)
            return None

    def _detect(self, rgb: ImageRgb, name: str) -> Prediction:
        begin = time.perf_counter()
        raw = self.detect(rgb, name)
        self.seconds += time.perf_counter() - begin
        prediction, findings = decode(
            raw,
            self.engine.metadata,
            image=name,
            size_wh=(rgb.shape[1], rgb.shape[0]),
            min_score=self.config.min_score,
            max_detections=self.config.max_detections,
        )
        self.report.extend(findings)
        self.images += 1
        self.empty += not prediction.detections
        self.counts.update(detection.class_name for detection in prediction.detections)
        return prediction

    def _check_size(self, prediction: Prediction, ids: OutputIds) -> None:
        expected = ids.size_wh.get(prediction.image)
        if expected and expected not in ((0, 0), (prediction.width, prediction.height)):
            message = (
                f"{prediction.image}: {prediction.width}x{prediction.height} when shown upright, {expected[0]}x"
                f"{expected[1]} in {self.config.annotations}; the detections are in pixels of the upright picture."
            )
            self.report.add("image-size-differs", "warning", message, image=prediction.image)

    @staticmethod
    def _write(prediction: Prediction, ids: OutputIds, to_json: CocoSink, to_csv: CsvSink) -> None:
        image_id = ids.image.get(prediction.image)
        if image_id is not None:  # else a finding of `ids_from_annotations` has said so
            known = tuple(row for row in prediction.detections if row.class_id not in ids.left_out)
            to_json(replace(prediction, detections=known), image_id)
        to_csv(prediction)


class _Pictures:
    """Annotated pictures, and those of them that go on the contact sheet, evenly over all images."""

    def __init__(self, config: InferConfig, metadata: ModelMetadata, total: int) -> None:
        self.config, self.metadata = config, metadata
        count = min(SHEET_PICTURES, total) if config.contact_sheet else 0
        self.chosen = {i * total // count for i in range(count)}
        self.tiles: list[tuple[Image.Image, str]] = []
        self.written: list[Path] = []

    def add(self, number: int, rgb: ImageRgb, prediction: Prediction) -> None:
        """Draw what was asked for on the image of this position."""
        if self.config.no_images and number not in self.chosen:
            return
        from PIL import Image

        from kpt_tools.report.contact_sheet import save_picture, thumbnail
        from kpt_tools.report.draw import draw_prediction, resized

        picture = Image.fromarray(rgb)
        threshold = self.config.min_keypoint_score
        if not self.config.no_images:
            drawn = draw_prediction(picture, prediction, self.metadata, threshold)
            path = self.config.out / PICTURES_NAME / picture_name(prediction.image)
            self.written.append(save_picture(drawn, path))
        if number in self.chosen:
            small = thumbnail(picture, SHEET_TILE_PX)
            drawn = draw_prediction(small, resized(prediction, small.size), self.metadata, threshold)
            self.tiles.append((drawn, prediction.image))

    def write_sheet(self) -> Path | None:
        """Write the contact sheet, if one was asked for and there is anything to show."""
        if not self.tiles:
            return None
        from kpt_tools.report.contact_sheet import contact_sheet, save_picture

        sheet = contact_sheet(self.tiles, tile_px=SHEET_TILE_PX, legend=self.metadata.label_map)
        return save_picture(sheet, self.config.out / SHEET_NAME)


def _tell_older(out: Path, written: Set[Path | None], report: Report) -> None:
    """Say which files of an earlier run lie among those of this one; they are left alone."""
    candidates = [out / SHEET_NAME, out / PRE_ANNOTATIONS_NAME, *sorted((out / PICTURES_NAME).rglob("*.jp*g"))]
    older = [path for path in candidates if path.is_file() and path not in written]
    if older:
        message = (
            f"{out}: {len(older)} files of an earlier run lie among those of this one, first "
            f"{older[0].relative_to(out).as_posix()}. Remove them, or choose another --out."
        )
        report.add("older-outputs", "warning", message)


def picture_name(name: str) -> str:
    """Name of the annotated picture: that of the image, with ".jpg" behind it unless it has that already."""
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def _ids(config: InferConfig, images: tuple[SourceImage, ...], metadata: ModelMetadata) -> OutputIds:
    names = [image.name for image in images]
    if config.annotations is None:
        return numbered(names)
    return ids_from_annotations(config.annotations, names, metadata.label_map)


def _refuse_foreign(out: Path) -> None:
    """Keep the run.json of a training from being overwritten."""
    path = out / MANIFEST_NAME
    if not path.is_file():
        return
    content = read_json(path, what="run.json of an earlier run")
    command = content.get("command") if isinstance(content, dict) else None
    if command != "infer":
        raise ConfigError(f"{out}: is the folder of a '{command}' run. Choose another output folder with --out.")
