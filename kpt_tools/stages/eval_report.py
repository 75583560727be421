"""From an evaluation, and the training before it, to the page ``report.html``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kpt_tools import __version__
from kpt_tools.entities import ModelMetadata, Report
from kpt_tools.fsio import write_text
from kpt_tools.metrics.result import EvalResult
from kpt_tools.metrics.suspects import SuspectKind
from kpt_tools.odapi import checkpoints
from kpt_tools.report.draw import point_colour
from kpt_tools.report.run_page import Album, FactGroup, RunPage, rows_of, run_page
from kpt_tools.report.run_plots import curve_plots, result_plots, validation_plot
from kpt_tools.report.svg import Plot
from kpt_tools.stages.eval_advice import RunFacts, advice
from kpt_tools.stages.eval_gallery import PictureCollector
from kpt_tools.stages.run_export import known_origin
from kpt_tools.stages.run_manifest import versions
from kpt_tools.stages.run_story import RunStory, duration_text, run_story

REPORT_NAME = "report.html"

_SUSPECTS: dict[SuspectKind, tuple[str, str]] = {
    "sides": (
        "Left and right exchanged",
        "The predicted points fit the annotated ones when left and right are exchanged. Which of the two is right?",
    ),
    "point": (
        "One point far away",
        "All points agree but one. It is misplaced in the annotation, or the model is wrong about it.",
    ),
    "unlabelled": (
        "Detections without an object",
        "Where nothing is annotated, the surest first: an object that was forgotten, or a mistake of the model.",
    ),
}
_FILES = {
    "run.json": "settings, versions, checksums, status of the training",
    "pipeline.config": "the resolved config, as trained",
    "label_map.pbtxt": "classes and keypoints",
    "results.csv": "losses, learning rate and speed over steps",
    "validation.csv": "what was measured while training",
    "best": "the best checkpoint, by what was measured while training",
    "checkpoint": "names the last checkpoints, which lie beside it",
    "first_batch.jpg": "the first pictures as training sees them",
    "train.log": "everything that TensorFlow and the OD API said",
    "train": "the losses for TensorBoard",
    "export": "the exported model",
    "eval": "this page, eval.json, predictions.json",
}


@dataclass(frozen=True)
class EvaluationSource:
    """All that the page is made from.

    Attributes:
        out: the folder that gets the page.
        run: the run folder, or None.
        model: the exported folder, or None.
        truth: what was measured against, in words.
        metadata: of the model.
        result: the numbers.
        pictures: what was kept of the images.
        report: findings.
    """

    out: Path
    run: Path | None
    model: Path | None
    truth: str
    metadata: ModelMetadata
    result: EvalResult
    pictures: PictureCollector
    report: Report


def write_report(source: EvaluationSource) -> Path:
    """Write ``report.html`` and return its path.

    Raises:
        ConfigError: the folder cannot be written to.
        MissingDependencyError: matplotlib or Jinja2 is not installed.
    """
    story = run_story(source.run) if source.run is not None else None
    return write_text(source.out / REPORT_NAME, run_page(_page(source, story)))


def _page(source: EvaluationSource, story: RunStory | None) -> RunPage:
    label_map = source.metadata.label_map
    first_slots = [item.keypoints[0].id if item.keypoints else 0 for item in label_map.items]
    facts = RunFacts(
        run=str(source.run) if source.run is not None else "",
        curve=story.curve if story else None,
        validation=story.validation if story else None,
        best=story.best if story else None,
        labels=story.labels(label_map) if story else {},
        suspicions=source.pictures.suspicions,
        sides_at_input=tuple(source.pictures.sides_at_input),
        input_side=max(source.metadata.input_hw),
    )
    return RunPage(
        title=_title(source),
        subtitle=f"Measured on {source.result.images} images of {source.truth}",
        made_by=f"kpt-tools {__version__}",
        result=source.result,
        hints=tuple(advice(source.result, facts)),
        class_plots=tuple(
            (part, tuple(result_plots(part, slot)))
            for part, slot in zip(source.result.classes, first_slots, strict=True)
        ),
        curve_plots=tuple(_curves(story)) if story else (),
        albums=tuple(_albums(source.pictures)),
        legend=tuple((k.label, point_colour(k.id)) for item in label_map.items for k in item.keypoints),
        facts=tuple(_facts(source, story)),
        config=story.config if story else "",
    )


def _curves(story: RunStory) -> Iterator[Plot]:
    if story.validation is not None and story.validation.steps:
        note = f" Dotted: the best checkpoint, {story.best.text}." if story.best else ""
        step = story.best.step if story.best else None
        yield validation_plot(story.validation, step, f"On validation pictures.{note}")
    if story.curve is not None:
        yield from curve_plots(story.curve)


def _title(source: EvaluationSource) -> str:
    """The run's folder with the one above it, as in "runs/train"; else the model's or the output's."""
    folder = (source.run or source.model or source.out).resolve()
    return "/".join(folder.parts[-2:])


def _albums(pictures: PictureCollector) -> Iterator[Album]:
    worst = pictures.worst()
    if worst:
        lead = (
            "Missed objects first, then those with the lowest OKS (box IoU where there are no points). Left as "
            "annotated, right as predicted; light lines lead from the predicted points to crosses where they were "
            "annotated."
        )
        yield Album(f"The {len(worst)} worst" if len(worst) > 1 else "The worst", lead, worst)
    for kind, (title, lead) in _SUSPECTS.items():
        shown = pictures.suspects(kind)
        if shown:
            yield Album(title, lead, shown)


def _facts(source: EvaluationSource, story: RunStory | None) -> Iterator[FactGroup]:
    yield _model_facts(source, story)
    if story is not None:
        yield _training_facts(story)
    yield _truth_facts(source)
    yield FactGroup("Versions, of this evaluation", rows_of(list(versions().items())))
    if story is not None:
        there = [(name, text) for name, text in _FILES.items() if (story.folder / name).exists()]
        yield FactGroup(f"Files in {story.folder.name}", rows_of(there))


def _model_facts(source: EvaluationSource, story: RunStory | None) -> FactGroup:
    metadata = source.metadata
    classes = [f"{item.name} ({len(item.keypoints)} keypoints)" for item in metadata.label_map.items]
    labels = {k.id: k.label for item in metadata.label_map.items for k in item.keypoints}
    flips = sorted({(min(pair), max(pair)) for pair in metadata.flip_pairs if pair[0] != pair[1]})
    last = checkpoints.latest(source.run) if source.run is not None else None
    origin = known_origin(source.model)
    return FactGroup(
        "Model",
        rows_of(
            [
                ("measured", source.model),
                ("of", origin.text if origin else None),
                ("last checkpoint", f"{last.prefix.name} (step {last.step})" if last else None),
                ("best checkpoint", story.best.text if story and story.best else None),
                ("input", f"{metadata.input_hw[1]} x {metadata.input_hw[0]} px"),
                ("classes", ", ".join(classes)),
                ("left and right", ", ".join(f"{labels[a]} / {labels[b]}" for a, b in flips)),
            ]
        ),
    )


def _training_facts(story: RunStory) -> FactGroup:
    curve, split = story.curve, story.training_split
    resumed = ", ".join(map(str, curve.resumed_at)) if curve else ""
    speed = curve.median("images_per_s") if curve else None
    rows = [
        ("status", story.manifest.get("status")),
        ("started", story.manifest.get("started")),
        ("time", duration_text(story.seconds)),
        ("steps", curve.steps[-1] if curve and curve.steps else None),
        ("resumed at step", resumed),
        ("stopped early", story.manifest.get("stopped_early")),
        ("speed", f"{speed:.1f} images/s" if speed else None),
        ("training images", f"{split[1].images} with {split[1].instances} objects" if split else None),
        *((name, value) for name, value in story.settings.items() if name not in ("run", "steps") and value != "False"),
        *(("not read", problem) for problem in story.problems),
    ]
    return FactGroup("Training", rows_of(rows))


def _truth_facts(source: EvaluationSource) -> FactGroup:
    result = source.result
    labelled = sum(part.errors.labelled for part in result.classes if part.errors)
    counted = Counter(finding.code for finding in source.report.findings)
    rows = [
        ("truth", source.truth),
        ("images", result.images),
        ("objects", sum(part.objects for part in result.classes)),
        ("labelled points of found objects", labelled),
        ("OKS sigma", result.sigma_text),
        ("area in OKS", result.area),
        ("objects without an area", result.area_fallbacks or None),
        ("objects without a box, left out", result.boxless or None),
        ("crowd regions, passed over", result.crowds or None),
        ("least score", f"{result.min_score:g}"),
        ("findings", ", ".join(f"{code} {count}" for code, count in counted.most_common())),
    ]
    return FactGroup("Measured on", rows_of(rows))
