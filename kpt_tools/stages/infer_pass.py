"""One pass of `infer` over all pictures: decoded ahead, detected in batches, written in order."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from kpt_tools.config.infer import InferConfig
from kpt_tools.entities import Finding, Prediction, Report
from kpt_tools.errors import ConfigError, DataError, EngineError
from kpt_tools.inference.ahead import ahead
from kpt_tools.inference.decode import decode
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections
from kpt_tools.inference.side_by_side import SideBySide
from kpt_tools.inference.sinks import CocoSink, CsvSink, coco_results, csv_table, json_row, prediction_of, rounded
from kpt_tools.inference.sources import SourceImage, Sources
from kpt_tools.inference.tracking import ObjectTracker
from kpt_tools.inference.video import DEFAULT_FPS
from kpt_tools.machine import available_cores
from kpt_tools.stages.beam_infer import FarImages
from kpt_tools.stages.infer_ids import OutputIds
from kpt_tools.stages.infer_journal import Journal
from kpt_tools.stages.infer_pictures import Drawn, Pictures
from kpt_tools.stages.pre_annotations import PreAnnotations

JSON_NAME = "predictions.json"
CSV_NAME = "predictions.csv"
UNREADABLE = "image-unreadable"

OnEvent = Callable[[dict[str, Any]], None]
DetectNamed = Callable[[ImageRgb, str], RawDetections]
"""Detects in a picture of this name."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A picture on its way; `again`: an earlier part of this run has written what was found in it."""

    number: int
    image: SourceImage
    again: bool
    wanted: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A picture with what was found in it, waiting for its turn to be written."""

    entry: _Entry
    prediction: Prediction
    findings: tuple[Finding, ...]
    drawn: Future[Drawn] | None


_Batch: TypeAlias = list[tuple[_Entry, ImageRgb]]


class Outputs:
    """All that is written about predictions, in the order of the pictures, and their counts."""

    def __init__(
        self, config: InferConfig, ids: OutputIds, report: Report, pictures: Pictures, pre: PreAnnotations | None
    ) -> None:
        """Take what decides where things go.

        Args:
            config: the settings.
            ids: ids of images and classes.
            report: gets every finding.
            pictures: draws.
            pre: collects for coco-annotator; None: not wanted.
        """
        self.config, self.ids, self.report, self.pictures, self.pre = config, ids, report, pictures, pre
        self.counts: Counter[str] = Counter()
        self.images = self.empty = 0
        self._to_json: CocoSink = lambda prediction, image_id: None
        self._to_csv: CsvSink = lambda prediction: None

    @contextlib.contextmanager
    def files(self, scratch: Path) -> Iterator[None]:
        """Write predictions.json and predictions.csv while the block runs; they appear when it ends well."""
        out, label_map = self.config.out, self.pictures.metadata.label_map
        names = (JSON_NAME, CSV_NAME)
        with (
            coco_results(scratch / JSON_NAME, self.ids.category) as self._to_json,
            csv_table(scratch / CSV_NAME, label_map, tracked=self.config.track) as self._to_csv,
        ):
            yield
        for name in names:
            (scratch / name).replace(out / name)

    def row(
        self, image: SourceImage, number: int, prediction: Prediction, findings: Sequence[Finding]
    ) -> dict[str, Any]:
        """The line of predictions.jsonl about a picture."""
        row = json_row(prediction, self.ids.image(image.name, number), self.ids.category)
        if image.video is not None:
            seconds = round(image.frame / image.video.fps, 3)
            row |= {"video": image.video.name, "frame": image.frame, "seconds": seconds}
        if findings:
            row["findings"] = [{"code": f.code, "severity": f.severity, "message": f.message} for f in findings]
        return row

    def row_of_lost(self, image: SourceImage, number: int, message: str) -> dict[str, Any]:
        """The line of predictions.jsonl about a picture that could not be read."""
        return {"image_id": self.ids.image(image.name, number), "file_name": image.name, "error": message}

    def write(self, image: SourceImage, number: int, prediction: Prediction) -> None:
        """Put a prediction into all files but predictions.jsonl."""
        self.images += 1
        self.empty += not prediction.detections
        self.counts.update(detection.class_name for detection in prediction.detections)
        self._check_size(prediction)
        image_id = self.ids.image(image.name, number)
        if image_id is not None:  # else `without_id` has said so
            known = tuple(row for row in prediction.detections if row.class_id not in self.ids.left_out)
            self._to_json(replace(prediction, detections=known), image_id)
        self._to_csv(prediction)
        if self.pre is not None and image.path is not None:
            self.pre.add(image.path, prediction, image_id)

    def _check_size(self, prediction: Prediction) -> None:
        expected = self.ids.size_wh(prediction.image)
        if expected and expected != (prediction.width, prediction.height):
            message = (
                f"{prediction.image}: {prediction.width}x{prediction.height} when shown upright, {expected[0]}x"
                f"{expected[1]} in {self.config.annotations}; the detections are in pixels of the upright picture."
            )
            self.report.add("image-size-differs", "warning", message, image=prediction.image)


class Pass:
    """Goes through all pictures once.

    Pictures are read and decoded by threads ahead of the engine, and drawn by them behind it; an engine that takes
    several at once is given as many. At any time only some pictures are in memory, however many there are.
    """

    def __init__(
        self, config: InferConfig, engine: Engine, sources: Sources | FarImages, outputs: Outputs, journal: Journal
    ) -> None:
        """Take the parts.

        Args:
            config: the settings.
            engine: detects.
            sources: the pictures.
            outputs: writes.
            journal: the growing predictions.jsonl.

        Raises:
            MissingDependencyError: objects are to be tracked, and the package for that is not installed.
        """
        self.config, self.engine, self.sources = config, engine, sources
        self.outputs, self.journal = outputs, journal
        self.tracker = ObjectTracker(config.min_score) if config.track else None
        self.workers = config.workers or available_cores()
        self.batch = 1 if sources.live else config.batch_size or engine.batch_size
        self.detected = 0
        self._side_by_side: SideBySide[_Batch, list[RawDetections]] = SideBySide(engine.calls)
        self._waiting: _Batch = []
        self._found: deque[_Found] = deque()
        self._detect: DetectNamed | None = None
        self._on_event: OnEvent = lambda event: None

    @property
    def seconds(self) -> float:
        """For how long the engine was busy."""
        return self._side_by_side.seconds

    def run(
        self, done: int, on_event: OnEvent, detect: DetectNamed | None = None, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Look at every picture.

        Args:
            done: so many are in the journal already: they are not looked at again, but written to the other files.
            on_event: called with ``{"kind": "image", "done": ..., "total": ...}``.
            detect: what to do with each picture in the place of the engine's `detect_batch`.
            stop: asked before each picture.

        Raises:
            ConfigError: the journal is not of these pictures.
            DataError: the model's files contradict each other.
            EngineError: the engine failed.
        """
        self._on_event, self._detect = on_event, detect
        rows = itertools.islice(self.journal.rows() if done else (), done)
        window = self.workers + self.batch
        with ThreadPoolExecutor(self.workers) as self._pool, contextlib.ExitStack() as stack:
            stream = ahead(self._entries(done, stop), _load, self._pool, window)
            stack.enter_context(contextlib.closing(stream))
            stack.enter_context(contextlib.closing(self._side_by_side))
            try:
                for entry, loaded in stream:
                    if entry.again:
                        self._replay(entry, next(rows, {}), loaded)
                    else:
                        if entry.number == done:  # the speed that is shown counts from here
                            on_event({"kind": "phase", "name": "detecting"})
                        self._take(entry, loaded)
                self._flush()
            except (KeyboardInterrupt, EngineError):
                self._write_found()  # else it would have to be looked for again
                raise
        self.outputs.pictures.close()
        left = next(rows, None)
        if left is not None:
            raise ConfigError(self._changed(f"'{left.get('file_name')}'", "no picture"))

    def _tell(self, number: int) -> None:
        self._on_event({"kind": "image", "done": number + 1, "total": self.sources.count})

    def _entries(self, done: int, stop: Callable[[], bool]) -> Generator[_Entry, None, None]:
        for number, image in enumerate(self.sources):
            if stop():
                return
            again = number < done
            yield _Entry(number, image, again, self.outputs.pictures.wanted(number, image, again=again))

    def _replay(self, entry: _Entry, row: dict[str, Any], loaded: Future[ImageRgb | None]) -> None:
        """Write what an earlier part of this run found once more, where files are not complete."""
        name = entry.image.name
        if row.get("file_name") != name:
            raise ConfigError(self._changed(f"'{row.get('file_name', 'no picture')}'", f"'{name}'"))
        self.outputs.report.extend(self.outputs.ids.without_id(name))
        if "error" in row:
            self.outputs.report.add(UNREADABLE, "error", row["error"], image=name)
            self._tell(entry.number)
            return
        findings = (Finding(f["code"], f["severity"], f["message"], name) for f in row.get("findings", ()))
        self.outputs.report.extend(findings)
        prediction = prediction_of(row, self.engine.metadata.label_map)
        self._track(entry.image, prediction)
        rgb = loaded.result()
        drawn = None if rgb is None else self.outputs.pictures.draw(entry.number, entry.image, rgb, prediction)
        self.outputs.pictures.take(entry.number, entry.image, drawn)
        self.outputs.write(entry.image, entry.number, prediction)
        self._tell(entry.number)

    def _changed(self, before: str, now: str) -> str:
        return (
            f"{self.config.out}: the unfinished run there had {before} where there is now {now}: the inputs have "
            "changed. --overwrite starts anew."
        )

    def _take(self, entry: _Entry, loaded: Future[ImageRgb | None]) -> None:
        """Gather a batch; an unreadable picture is told in its turn."""
        try:
            rgb = loaded.result()
        except DataError as exc:
            self._flush()
            self._lost(entry, f"{exc} Passed over.")
            return
        assert rgb is not None, "loaded, since nobody has looked at it yet"
        self._waiting.append((entry, rgb))
        if len(self._waiting) >= self.batch:
            self._begin()

    def _lost(self, entry: _Entry, message: str) -> None:
        name = entry.image.name
        self.outputs.report.extend(self.outputs.ids.without_id(name))
        self.outputs.report.add(UNREADABLE, "error", message, image=name)
        self.journal.append(self.outputs.row_of_lost(entry.image, entry.number, message))
        self._tell(entry.number)

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch, raws in self._side_by_side.start(waiting, self._detected):
            self._take_detected(batch, raws)

    def _detected(self, batch: _Batch) -> list[RawDetections]:
        """What is found in pictures; may run in another thread."""
        if self._detect is None:
            return self.engine.detect_batch([rgb for _, rgb in batch])
        return [self._detect(rgb, entry.image.name) for entry, rgb in batch]

    def _take_detected(self, batch: _Batch, raws: list[RawDetections]) -> None:
        self.detected += len(raws)
        for (entry, rgb), raw in zip(batch, raws, strict=True):
            self._finish(entry, rgb, raw)

    def _finish(self, entry: _Entry, rgb: ImageRgb, raw: RawDetections) -> None:
        prediction, findings = decode(
            raw,
            self.engine.metadata,
            image=entry.image.name,
            size_wh=(rgb.shape[1], rgb.shape[0]),
            min_score=self.config.min_score,
            max_detections=self.config.max_detections,
        )
        prediction = self._track(entry.image, rounded(prediction))
        drawn = None
        if entry.wanted:
            drawn = self._pool.submit(self.outputs.pictures.draw, entry.number, entry.image, rgb, prediction)
        self._found.append(_Found(entry, prediction, findings, drawn))
        while len(self._found) > self.workers:
            self._write_first()

    def _track(self, image: SourceImage, prediction: Prediction) -> Prediction:
        if self.tracker is None:
            return prediction
        return self.tracker.update(prediction, image.sequence, image.video.fps if image.video else DEFAULT_FPS)

    def _flush(self) -> None:
        """Bring everything that is on its way to its end."""
        if self._waiting:
            self._begin()
        for batch, raws in self._side_by_side.finish():
            self._take_detected(batch, raws)
        self._write_found()

    def _write_found(self) -> None:
        while self._found:
            self._write_first()

    def _write_first(self) -> None:
        """Write about the first picture that waits, in all places; its line in the journal comes last."""
        found = self._found.popleft()
        image, number = found.entry.image, found.entry.number
        self.outputs.pictures.take(number, image, found.drawn.result() if found.drawn else None)
        self.outputs.report.extend((*self.outputs.ids.without_id(image.name), *found.findings))
        self.outputs.write(image, number, found.prediction)
        self.journal.append(self.outputs.row(image, number, found.prediction, found.findings))
        self._tell(number)


def _load(entry: _Entry) -> ImageRgb | None:
    return entry.image.load() if entry.wanted or not entry.again else None
