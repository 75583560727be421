"""Detect in images and videos: JSON lines, COCO results, a table, annotated pictures and videos."""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kpt_tools.annotations.formats.coco_annotator import FILE_NAME as PRE_ANNOTATIONS_NAME
from kpt_tools.beam.files import is_remote, location_of
from kpt_tools.config.beam import HERE, BeamConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Finding, Report
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import sha256_of, staging_folder
from kpt_tools.inference.engine import Engine
from kpt_tools.inference.sources import VIDEO_UNREADABLE, Sources
from kpt_tools.records.parallel import Mapper
from kpt_tools.stages.beam_infer import (
    Elsewhere,
    FarImages,
    Recipe,
    check_for_beam,
    detect_on_beam,
    model_here,
    out_here,
    parts_told,
)
from kpt_tools.stages.beam_places import beam_map
from kpt_tools.stages.engine_choice import EngineChoice, choose_engine
from kpt_tools.stages.infer_ids import OutputIds, ids_from_annotations
from kpt_tools.stages.infer_journal import Journal
from kpt_tools.stages.infer_pass import UNREADABLE, DetectNamed, OnEvent, Outputs, Pass
from kpt_tools.stages.infer_pictures import Pictures
from kpt_tools.stages.pre_annotations import PreAnnotations
from kpt_tools.stages.run_export import exported_for, known_origin, origin_findings
from kpt_tools.stages.run_manifest import jsonable, run_manifest

FAILED = (UNREADABLE, VIDEO_UNREADABLE)
"""Codes of findings about what could not be read."""
MOST_FINDINGS = 1000
"""Of each code; more are counted, and those about one image are in its line of predictions.jsonl."""


@dataclass(frozen=True)
class InferResult:
    """What was done.

    Attributes:
        out: the folder of all outputs.
        model: the exported folder that was used, or None if an engine was given.
        images: number of images that were read and looked at; each frame of a video is one.
        empty: number of these without a detection.
        detections: number per class name, in label-map order, also of classes that were not found.
        findings: everything worth knowing, of each code the first `MOST_FINDINGS`; see `failed` for what was lost.
        counts: number of findings per code.
        seconds: spent in the engine by this start.
        contact_sheet: its path, if one was asked for.
        pre_annotations: the file for coco-annotator, if it was asked for.
        engine: what ran the model, such as "onnx, float32".
        detected: images that this start looked at; fewer than `images` if it went on with a killed run.
        total_seconds: from the first image to the last, with all reading, drawing and writing, of this start.
        videos: the annotated videos that were written.
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
    counts: Mapping[str, int] = field(default_factory=dict)
    detected: int = 0
    total_seconds: float = 0.0
    videos: tuple[Path, ...] = ()

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The images and videos that could not be read."""
        return tuple(finding for finding in self.findings if finding.code in FAILED)

    @property
    def lost(self) -> tuple[Finding, ...]:
        """All that is missing in an output: unreadable images, and pre-annotations that had to be left out."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def images_per_second(self) -> float | None:
        """Speed of the engine alone; None if no image was looked at."""
        return self.detected / self.seconds if self.detected and self.seconds > 0 else None

    @property
    def total_images_per_second(self) -> float | None:
        """Speed with everything but the start of the program; None if no image was looked at."""
        return self.detected / self.total_seconds if self.detected and self.total_seconds > 0 else None


def infer(
    config: InferConfig,
    on_event: OnEvent = lambda event: None,
    *,
    engine: Engine | None = None,
    detect: DetectNamed | None = None,
    more: Mapping[str, Any] | None = None,
    beam: BeamConfig = HERE,
) -> InferResult:
    """Detect in all pictures that the inputs name.

    Unreadable images are reported and passed over. ``predictions.jsonl`` grows by a line per image; the other files
    appear when all images are done, each annotated picture when its image is done. If the folder holds an unfinished
    run of the same settings, it is gone on with.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", "name": ...}``, ``{"kind": "note", "text": ...}`` and
            ``{"kind": "image", "done": ..., "total": ...}`` (None: unknown).
        engine: the engine to use instead of loading `config.model`.
        detect: what to do with each picture in the place of the engine's `detect_batch`, where that needs its name.
        more: JSON values for run.json that decide what is found, beside `config`.
        beam: where to detect, if not in this process; then inputs, model and outputs may be on other filesystems.

    Raises:
        ConfigError: no image, no model, or an output folder that belongs to something else.
        DataError: the model's files contradict each other, or the annotations are damaged.
        EngineError: the model cannot be loaded or run.
        MissingDependencyError: a package that the engine or the tracker needs is not installed.
    """
    check_for_beam(config, beam)
    with (
        out_here(config) as here,
        model_here(config.model) as model,
        beam_map(beam, config.out, parts_told(on_event)) as mapper,
    ):
        sources = _sources(here, mapper)
        choice = EngineChoice.of(engine) if engine else _choice(replace(here, model=model), on_event)
        choice = replace(choice, flip_test=config.flip_test)
        ids = ids_from_annotations(here.annotations, choice.metadata.label_map) if here.annotations else OutputIds()
        pre = PreAnnotations(here, choice.metadata) if here.to_coco_annotator else None
        with Journal(here.out) as journal:
            job = _Job(here, choice, sources, ids, pre, journal, mapper, location_of(config.out))
            return replace(job.run(on_event, detect, more or {}), out=config.out)


def _sources(config: InferConfig, mapper: Mapper | None) -> Sources | FarImages:
    if is_remote(config.inputs[0]) and mapper is not None:
        return FarImages.below(config.inputs[0])
    sources = Sources(config.inputs, exclude=config.out, max_frames=config.max_frames)
    if config.to_coco_annotator and sources.videos:
        raise ConfigError("--to-coco-annotator is for image files; leave out videos and cameras, or the option.")
    if mapper is not None and sources.videos:
        raise ConfigError("--runner is for image files; leave out videos and cameras, or --runner.")
    return sources


def _choice(config: InferConfig, on_event: OnEvent) -> EngineChoice:
    return choose_engine(exported_for(config.model, config.checkpoint, on_event), config.engine, config.precision)


@dataclass(frozen=True)
class _Job:
    """The parts of one call of `infer`."""

    config: InferConfig
    choice: EngineChoice
    sources: Sources | FarImages
    ids: OutputIds
    pre: PreAnnotations | None
    journal: Journal
    mapper: Mapper | None
    out: str

    def run(self, on_event: OnEvent, detect: DetectNamed | None, more: Mapping[str, Any]) -> InferResult:
        """Go on with an earlier run or start anew, and keep run.json."""
        config, choice = self.config, self.choice
        inputs = {name: {"path": str(file), "sha256": sha256_of(file)} for name, file in choice.files.items()}
        settings = {"config": jsonable(config), "inputs": inputs, **more}
        earlier = self.journal.earlier(settings, overwrite=config.overwrite)
        if earlier and self.sources.live:
            raise ConfigError(
                f"{config.out}: holds an unfinished run, and what a camera showed does not come back. --overwrite "
                "starts anew; to keep that run, choose another --out."
            )
        done = earlier.images if earlier else 0
        begin_ns = earlier.begin_ns if earlier else self.journal.now()
        origin = known_origin(choice.folder)
        report = Report(limit=MOST_FINDINGS)
        report.extend((*self.ids.findings, *choice.findings, *origin_findings(choice.folder, origin)))
        stored = {**settings, "begin_ns": begin_ns}
        with (
            run_manifest(config.out, "infer", config, {}, stored) as manifest,
            staging_folder(config.out) as scratch,
        ):
            manifest["engine"] = choice.text
            manifest["checkpoint"] = origin.to_dict() if origin else None
            detector = self._engine(on_event)
            if earlier is None:
                self.journal.clear()
            else:
                on_event({"kind": "note", "text": f"{config.out}: going on after the {done} images that are done."})
            pictures = Pictures(config, detector.metadata, self.sources.count, scratch, begin_ns)
            outputs = Outputs(config, self.ids, report, pictures, self.pre)
            work = Pass(config, detector, self.sources, outputs, self.journal)
            total_seconds = self._look(work, outputs, scratch, done, on_event, detect)
            result = self._result(work, outputs, total_seconds)
            manifest["images"] = result.images
            manifest["detections"] = result.detections
            manifest["report"] = report.to_dict()
        return result

    def _engine(self, on_event: OnEvent) -> Engine:
        if self.mapper is not None:
            return Elsewhere(self.choice.metadata)
        on_event({"kind": "phase", "name": "loading the model"})
        return self.choice.open(side_by_side=not self.sources.live and self.config.batch_size != 1)

    def _look(
        self,
        work: Pass,
        outputs: Outputs,
        scratch: Path,
        done: int,
        on_event: OnEvent,
        detect: DetectNamed | None,
    ) -> float:
        """Go through all pictures; seconds that it took."""
        begin = time.perf_counter()
        if self.mapper is not None:
            begun, done = done, self._detect_on_beam(self.mapper, outputs, done)
            work.detected = done - begun
        on_event({"kind": "phase", "name": "reading what is done" if done else "reading"})
        try:
            with outputs.files(scratch), _stopped_by_interrupt(self.sources.live) as stop:
                work.run(done, on_event, detect, stop)
        except KeyboardInterrupt:
            text = f"{self.config.out}: {self.journal.lines} images are done; the same command goes on from there."
            on_event({"kind": "note", "text": text})
            raise
        return time.perf_counter() - begin

    def _detect_on_beam(self, mapper: Mapper, outputs: Outputs, done: int) -> int:
        """Bring the journal to its end: all that is left for this process is to write the other files from it."""
        model = location_of(self.config.model) if is_remote(self.config.model) else str(self.choice.folder)
        recipe = Recipe(model, self.choice.name, self.choice.precision, self.config, self.out)
        found = detect_on_beam(recipe, itertools.islice(self.sources, done, None), mapper)
        number = done
        for image, each in zip(itertools.islice(self.sources, done, None), found, strict=True):
            if each.prediction is None:
                self.journal.append(outputs.row_of_lost(image, number, each.error))
            else:
                self.journal.append(outputs.row(image, number, each.prediction, each.findings))
            number += 1
        return number

    def _result(self, work: Pass, outputs: Outputs, total_seconds: float) -> InferResult:
        """The counts, after writing what is written at the end."""
        out, report, pictures = self.config.out, outputs.report, outputs.pictures
        pre_annotations = self.pre.write(out) if self.pre else None
        report.extend((*self.sources.findings(), *(self.pre.findings if self.pre else ())))
        sheet = pictures.write_sheet()
        older = pictures.older(out / PRE_ANNOTATIONS_NAME)
        report.extend([older] if older else [])
        names = [item.name for item in pictures.metadata.label_map.items]
        return InferResult(
            out=out,
            model=self.choice.folder,
            engine=self.choice.text,
            images=outputs.images,
            empty=outputs.empty,
            detections={name: outputs.counts[name] for name in names},
            findings=tuple(report.findings),
            counts=report.counts(),
            seconds=work.seconds,
            contact_sheet=sheet,
            pre_annotations=pre_annotations,
            detected=work.detected,
            total_seconds=total_seconds,
            videos=tuple(pictures.videos),
        )


@contextlib.contextmanager
def _stopped_by_interrupt(live: bool) -> Iterator[Callable[[], bool]]:
    """For a camera, which has no end of its own: the first Ctrl-C ends the pictures, a second one the program."""
    if not live or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    stopped = threading.Event()

    def remember(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield stopped.is_set
    finally:
        signal.signal(signal.SIGINT, before)
