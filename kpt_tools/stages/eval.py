"""Measure a model: box AP, OKS AP, PCK, pixel errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kpt_tools.config.eval import EvalConfig
from kpt_tools.entities import Finding, LabelMap, ModelMetadata, Prediction, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json, write_json
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import Engine
from kpt_tools.inference.sinks import coco_results
from kpt_tools.metrics.coco_ap import OKS_MAX_DETECTIONS
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.oks import as_area_source
from kpt_tools.metrics.pairs import ImagePair, countable
from kpt_tools.metrics.result import EvalResult
from kpt_tools.pipeline.coco_classes import is_zoo
from kpt_tools.pipeline.sigmas import DEFAULT_SIGMA, sigmas_of
from kpt_tools.stages.engine_choice import EngineChoice, choose_engine
from kpt_tools.stages.eval_gallery import PictureCollector
from kpt_tools.stages.eval_report import EvaluationSource, write_report
from kpt_tools.stages.eval_truth import (
    LOST,
    TruthImage,
    count_records,
    find_shards,
    records_of_run,
    truth_from_records,
)
from kpt_tools.stages.model_folder import results_folder, run_of
from kpt_tools.stages.run_export import exported_for, known_origin, origin_findings
from kpt_tools.stages.run_manifest import jsonable, run_manifest, versions
from kpt_tools.stages.zoo_model import is_archive, located

RESULT_NAME = "eval.json"
JSON_NAME = "predictions.json"
OUT_NAME = "eval"

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class EvalOutcome:
    """An evaluation and where it was written.

    Attributes:
        result: the numbers.
        model: the exported folder that was measured, or None if an engine was given.
        truth: what was measured against, in words.
        out: the folder with eval.json and predictions.json.
        page: the report as HTML, or None if it was not asked for.
        findings: everything worth knowing; see `lost` for images that could not be measured.
    """

    result: EvalResult
    model: Path | None
    truth: str
    out: Path
    page: Path | None
    findings: tuple[Finding, ...]

    @property
    def lost(self) -> tuple[Finding, ...]:
        """Images that could not be read, so that nothing was measured on them."""
        return tuple(finding for finding in self.findings if finding.code == LOST)


def evaluate_model(
    config: EvalConfig, on_event: OnEvent = lambda event: None, *, engine: Engine | None = None
) -> EvalOutcome:
    """Detect in annotated images and compare.

    A run folder is exported first if its export is missing or of another checkpoint.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", "name": ...}`` and ``{"kind": "image", "done": ..., "total": ...}``.
        engine: the engine to use instead of loading `config.model`.

    Raises:
        ConfigError: no model or no truth, or the two do not fit.
        DataError: damaged records or annotations, or not one image could be measured.
        EngineError: the model cannot be exported, loaded or run.
        MissingDependencyError: the engine's package, pycocotools or matplotlib is not installed.
    """
    model = config.model if engine else _existing(config.model)
    run = run_of(model)
    shards = _shards(config, run)
    choice = EngineChoice.of(engine) if engine else _choice(config, model, on_event)
    choice = replace(choice, flip_test=config.flip_test)
    metadata, folder = choice.metadata, choice.folder
    sigmas = _sigmas(config, metadata)
    origin = known_origin(folder)
    report = Report([*choice.findings, *origin_findings(folder, origin)])
    truth = _truth(config, shards, metadata.label_map, report)
    metadata, sigmas = _measurable(metadata, sigmas, truth.label_map)
    out = config.out or results_folder(model, OUT_NAME)
    files = choice.files
    files |= {"annotations": config.annotations} if config.annotations else {}
    files |= {path.name: path for path in shards}
    area = as_area_source(config.area)
    pictures = PictureCollector(metadata, sigmas, area) if config.report else None
    with run_manifest(out, "eval", config, files) as manifest:
        manifest["engine"] = choice.text
        manifest["checkpoint"] = origin.to_dict() if origin else None
        on_event({"kind": "phase", "name": "loading the model"})
        pairs = _detect(choice.open(), truth, config, out, report, on_event, pictures)
        on_event({"kind": "phase", "name": "measuring"})
        _tell_crowded(pairs, metadata.label_map, report)
        result = evaluate(pairs, metadata, sigmas=sigmas, area=area, min_score=config.min_score)
        manifest["report"] = report.to_dict()
        _write(out, config, folder, truth.text, result, manifest)
        page = None
        if pictures is not None:
            on_event({"kind": "phase", "name": "drawing the page"})
            page = write_report(EvaluationSource(out, run, folder, truth.text, metadata, result, pictures, report))
    return EvalOutcome(result, folder, truth.text, out, page, tuple(report.findings))


def _choice(config: EvalConfig, model: Path, on_event: OnEvent) -> EngineChoice:
    return choose_engine(exported_for(model, config.checkpoint, on_event), config.engine, config.precision)


def _existing(model: Path) -> Path:
    """The place of a run, an exported model, or a model of the zoo by its name."""
    place = located(model)
    if not (place.is_dir() or is_archive(place)):
        raise ConfigError(
            f"{model}: no such folder; expected a run of kpt-tools train, an exported model, or a model of the zoo. "
            "Train first."
        )
    return place


@dataclass(frozen=True)
class _Truth:
    """Annotated images to go through once; `total` is None where it is not known beforehand.

    `label_map` has the classes of the model that are annotated.
    """

    text: str
    images: Iterator[TruthImage]
    total: int | None
    label_map: LabelMap
    category_ids: Mapping[int, int] = field(default_factory=dict)


def _shards(config: EvalConfig, run: Path | None) -> list[Path]:
    """The record files to measure on; none if a COCO JSON was given."""
    if config.annotations is not None:
        return []
    patterns = [config.records] if config.records else records_of_run(run, config.model)
    return find_shards(patterns)


def _truth(config: EvalConfig, shards: list[Path], label_map: LabelMap, report: Report) -> _Truth:
    if config.annotations is not None and config.images is not None:
        from kpt_tools.stages.eval_coco import coco_truth

        coco = coco_truth(config.annotations, config.images, label_map, report)
        text, total = str(config.annotations), len(coco.dataset.images)
        return _Truth(text, coco.read(report), total, coco.label_map, coco.category_ids)
    if is_zoo(label_map):
        raise ConfigError(
            "--records: records number their own classes, and a model of the zoo those of COCO. Give --annotations and "
            "--images: there they are matched by name."
        )
    text = ", ".join(str(path) for path in shards)
    return _Truth(text, truth_from_records(shards, label_map, report), count_records(shards), label_map)


def _measurable(
    metadata: ModelMetadata, sigmas: tuple[float, ...], label_map: LabelMap
) -> tuple[ModelMetadata, tuple[float, ...]]:
    """What the model knows of the classes and keypoints that the truth has."""
    if label_map.num_keypoints == metadata.label_map.num_keypoints:
        return replace(metadata, label_map=label_map), sigmas
    return replace(metadata, label_map=label_map, skeleton=(), flip_pairs=(), sigmas=()), ()


def _sigmas(config: EvalConfig, metadata: ModelMetadata) -> tuple[float, ...]:
    """Those asked for, else those of the model, else the default."""
    if config.sigmas is None:
        return metadata.sigmas or sigmas_of(DEFAULT_SIGMA, metadata.label_map, "default")
    try:
        value: object = float(config.sigmas)
    except ValueError:
        value = read_json(Path(config.sigmas), what="JSON file of OKS sigmas, or a number")
    return sigmas_of(value, metadata.label_map, f"--sigmas {config.sigmas}")


def _detect(
    engine: Engine,
    truth: _Truth,
    config: EvalConfig,
    out: Path,
    report: Report,
    on_event: OnEvent,
    pictures: PictureCollector | None,
) -> list[ImagePair]:
    """Detect in every annotated image; predictions.json is written on the way."""
    pairs = []
    on_event({"kind": "phase", "name": "detecting"})
    with coco_results(out / JSON_NAME, truth.category_ids) as to_json:
        for image in truth.images:
            prediction, findings = decode(
                engine.detect(image.rgb),
                engine.metadata,
                image=image.name,
                size_wh=(image.rgb.shape[1], image.rgb.shape[0]),
                min_score=config.min_score,
            )
            report.extend(findings)
            prediction = _of_classes(prediction, truth.label_map)
            to_json(prediction, image.image_id)
            pairs.append(ImagePair(image.name, image.instances, prediction.detections))
            if pictures is not None:
                pictures.add(image, prediction.detections)
            on_event({"kind": "image", "done": len(pairs), "total": truth.total})
        if not pairs:
            lost = next((f.message for f in report.findings if f.code == LOST), "there are no images.")
            raise DataError(f"{truth.text}: nothing to measure on; the first problem: {lost}")
    return pairs


def _of_classes(prediction: Prediction, label_map: LabelMap) -> Prediction:
    """Without detections of classes that are not annotated: right or wrong, nobody knows."""
    known = {item.id for item in label_map.items}
    return replace(prediction, detections=tuple(row for row in prediction.detections if row.class_id in known))


def _tell_crowded(pairs: Sequence[ImagePair], label_map: LabelMap, report: Report) -> None:
    """Say so where an image has more objects of a class than COCO looks at."""
    for item in label_map.items:
        count, name = max((len(countable(pair, item.id)), pair.name) for pair in pairs)
        if item.keypoints and count > OKS_MAX_DETECTIONS:
            message = (
                f"{name}: {count} objects of class '{item.name}'; OKS AP looks at {OKS_MAX_DETECTIONS} detections "
                "per image and class, so it cannot reach 1."
            )
            report.add("many-objects", "warning", message, image=name)


def _write(
    out: Path, config: EvalConfig, folder: Path | None, truth: str, result: EvalResult, manifest: Mapping[str, Any]
) -> None:
    content = {
        "model": str(folder) if folder else None,
        "engine": manifest["engine"],
        "checkpoint": manifest["checkpoint"],
        "truth": truth,
        "inputs": manifest["inputs"],
        "settings": jsonable(config),
        "versions": versions(),
        "result": result.to_dict(),
        "report": manifest["report"],
    }
    write_json(out / RESULT_NAME, content)
