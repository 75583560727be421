"""Export a checkpoint of a run: SavedModel, further formats, and the proof that they find what it finds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.engines import ENGINE_OF_FORMAT
from kpt_tools.config.export import FLOAT32, INT8, SAVED_MODEL, ExportConfig, file_of
from kpt_tools.config.model_metadata import FILE_NAME as METADATA_NAME
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.entities import Finding, ModelMetadata, Report
from kpt_tools.errors import ConfigError, EngineError, KptToolsError
from kpt_tools.fsio import make_folder, replace_folder, write_json, write_text
from kpt_tools.inference.engine import Engine
from kpt_tools.inference.open_engine import open_engine
from kpt_tools.inference.saved_model import SavedModelEngine, full_float32
from kpt_tools.odapi import commands, image_stream, pipeline_config, run_config
from kpt_tools.odapi.child import run_child
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.pipeline.label_map import format_label_map, read_label_map
from kpt_tools.stages import parity_file
from kpt_tools.stages.checkpoint_choice import ChosenCheckpoint, Origin, choose_checkpoint
from kpt_tools.stages.export_calibration import calibration_images
from kpt_tools.stages.export_formats import Converter, check_conversion
from kpt_tools.stages.export_parity import Check, Original, check_signatures
from kpt_tools.stages.export_pictures import pictures_for
from kpt_tools.stages.model_folder import EXPORT_NAME, export_is_current
from kpt_tools.stages.parity_file import read_parity
from kpt_tools.stages.run_manifest import versions
from kpt_tools.stages.train import CONFIG_NAME, LABEL_MAP_NAME

LOG_NAME = "export.log"
REFUSED_NAME = "export_refused.json"
STATISTICS = "statistics-estimated"

OnEvent = Callable[[dict[str, Any]], None]
Conversion = tuple[str, str]
"""Format and precision."""
Specs = tuple[dict[str, str], dict[str, str]]
"""What the signatures of a SavedModel take, and what it gives."""


@dataclass(frozen=True)
class ExportResult:
    """An exported model.

    Attributes:
        folder: holds saved_model/, checkpoint/, pipeline.config, label_map.pbtxt, kpt_tools.json and parity.json.
        origin: the checkpoint that it was made from.
        signatures: name to "dtype[shape]" of what each signature of the SavedModel takes.
        outputs: name to "dtype[shape]" of its outputs.
        parity: the content of parity.json.
        findings: pictures that could not be read, and formats that went with an older export.
        reused: all that was asked for is there and is that of the checkpoint; the SavedModel was loaded and run.
    """

    folder: Path
    origin: Origin
    signatures: dict[str, str]
    outputs: dict[str, str]
    parity: dict[str, Any]
    findings: tuple[Finding, ...] = ()
    reused: bool = False


def export_run(config: ExportConfig, on_event: OnEvent = lambda event: None) -> ExportResult:
    """Export a run. Every model is run beside the checkpoint; one that differs too much does not take its place.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", "name": ...}``, ``{"kind": "image", "done": ..., "total": ...}``, and
            ``{"kind": "checked", "check": ...}`` with what parity.json will hold of a model, be it good or not.

    Raises:
        ConfigError: the run has no such checkpoint, or `out` is a folder of something else.
        DataError: the run's label map or validation records are damaged.
        EngineError: the OD API or a converter failed, or an exported model is not what it was made from. What is good
            is in place nevertheless, unless the SavedModel itself is refused.
        MissingDependencyError: a package that a format needs is not installed.
    """
    job = _job(config)
    if job.keep and not job.missing:
        engine = SavedModelEngine(job.out)
        _try_out(engine)
        return ExportResult(job.out, job.chosen.origin, *_specs(engine), read_parity(job.out), reused=True)
    make_folder(job.out.parent)
    with tempfile.TemporaryDirectory(prefix=f".{job.out.name}.", suffix=".tmp", dir=job.out.parent) as temporary:
        return _Work(job, Path(temporary), on_event).run()


@dataclass(frozen=True)
class _Job:
    """What is to be done.

    Attributes:
        config: the settings.
        chosen: the checkpoint to export.
        out: the folder to make.
        message: the pipeline.config, made to fit the run folder.
        metadata: of the model.
        keep: the SavedModel in `out` is that of the checkpoint, and was found good.
        missing: conversions to be made.
    """

    config: ExportConfig
    chosen: ChosenCheckpoint
    out: Path
    message: Message
    metadata: ModelMetadata
    keep: bool
    missing: tuple[Conversion, ...]


def _job(config: ExportConfig) -> _Job:
    for format, precision in config.conversions:
        check_conversion(format, precision)
    chosen = choose_checkpoint(config.run, config.checkpoint)
    if chosen is None:
        raise ConfigError(f"{config.run}: no checkpoint found; expected the run folder of kpt-tools train.")
    out = config.out or config.run / EXPORT_NAME
    if out.exists() and not (out / SAVED_MODEL).is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out}: exists and is no exported model. Choose another folder with --out.")
    current = out == config.run / EXPORT_NAME and export_is_current(config.run, config.checkpoint)
    good = _good_models(out) if current else set()
    other_pictures = config.images is not None  # then nothing that was compared on others will do
    keep = SAVED_MODEL in good and not config.force and not (other_pictures and not config.conversions)
    done = good if keep and not other_pictures else set()
    missing = tuple(
        (format, precision)
        for format, precision in config.conversions
        if not (file_of(format, precision).as_posix() in done and (out / file_of(format, precision)).is_file())
    )
    message = pipeline_config.read(config.run / CONFIG_NAME)
    label_map = read_label_map(config.run / LABEL_MAP_NAME)
    resolved = run_config.resolve(message, label_map=(config.run / LABEL_MAP_NAME).resolve(), steps=None, fresh=False)
    metadata = run_config.metadata_of(resolved, label_map)
    return _Job(config, chosen, out, resolved, metadata, keep, missing)


def _good_models(folder: Path) -> set[str]:
    """The models of an export that were compared with their checkpoint and found good."""
    return {check["model"] for check in read_parity(folder).get("checks", ()) if check["good"]}


class _Work:
    """The making of an export in a temporary folder beside its place."""

    def __init__(self, job: _Job, work: Path, on_event: OnEvent) -> None:
        self._job = job
        self._work = work
        self._on_event = on_event
        self._model = job.out if job.keep else work / "model"
        self._formats = make_folder(work / "formats")
        self._report = Report()
        self._pictures = pictures_for(job.config, job.metadata, self._report)
        self._original = Original(self._pictures, job.metadata)
        self._checks: list[Check] = []

    def run(self) -> ExportResult:
        """Make everything, put what is good into its place, and raise if something is not."""
        job = self._job
        self._run_original()
        specs = None if job.keep else self._saved_model()
        failures = self._convert()  # may need all memory: no model is loaded now
        parity = self._put_in_place()
        if failures:
            raise failures[0] if len(failures) == 1 else type(failures[0])(" ".join(map(str, failures)))
        (job.config.run / REFUSED_NAME).unlink(missing_ok=True)
        signatures, outputs = specs or _specs(SavedModelEngine(job.out))
        return ExportResult(job.out, job.chosen.origin, signatures, outputs, parity, tuple(self._report.findings))

    def _run_original(self) -> None:
        """In a child process: write the SavedModel if it is wanted, and what the checkpoint finds in the pictures."""
        job, reference = self._job, self._work / "original.npz"
        write_text(self._work / "in.config", pipeline_config.format(job.message))
        command = commands.export_command(
            self._work / "in.config",
            job.chosen.file.prefix,
            out=None if job.keep else self._model,
            reference=reference,
        )
        feed = image_stream.packed(self._original.images())

        def watch(event: dict[str, Any]) -> None:
            if event["kind"] == "statistics":
                self._tell_statistics(event)
            self._on_event({**event, "total": self._pictures.total} if event["kind"] == "image" else event)

        if run_child(command, job.config.run / LOG_NAME, watch, feed=feed).interrupted:
            raise KeyboardInterrupt
        self._original.read(reference)

    def _tell_statistics(self, event: dict[str, Any]) -> None:
        """The checkpoint was saved on Ctrl-C, which waits for no statistics; its export has them, or it is told."""
        origin = self._job.chosen.origin.text
        if event["batches"]:
            message = f"{origin}: saved on Ctrl-C, so its batch-normalisation statistics were estimated anew."
            self._report.add(STATISTICS, "info", message)
            return
        message = (
            f"{origin}: saved on Ctrl-C with moving averages as batch-normalisation statistics; the training records "
            f"to estimate them from are gone ({', '.join(event['records'])}). It may find less than it could."
        )
        self._report.add("statistics-not-estimated", "warning", message)

    def _saved_model(self) -> Specs:
        """Complete the new SavedModel, load it and check it; what it takes and gives."""
        write_text(self._model / LABEL_MAP_NAME, format_label_map(self._job.metadata.label_map))
        write_metadata(self._model, self._job.metadata)
        self._on_event({"kind": "phase", "name": "loading the SavedModel"})
        engine = SavedModelEngine(self._model)
        with full_float32():
            _try_out(engine)
            self._on_event({"kind": "phase", "name": "comparing the SavedModel"})
            check = self._check(engine, SAVED_MODEL, FLOAT32)
            problems = [*check.refusals, *check_signatures(engine, self._pictures)]
        if problems:
            raise self._refused(SAVED_MODEL, problems)
        return _specs(engine)

    def _convert(self) -> list[KptToolsError]:
        """Make and compare each further format; what fails is removed and told at the end."""
        job = self._job
        if not job.missing:
            return []
        for name in (METADATA_NAME, LABEL_MAP_NAME):
            shutil.copyfile(self._model / name, self._formats / name)
        failures: list[KptToolsError] = []
        with Converter(self._model, self._calibration(), self._on_event, log=job.config.run / LOG_NAME) as converter:
            for format, precision in job.missing:
                try:
                    self._convert_one(converter, format, precision)
                except KptToolsError as exc:
                    failures.append(exc)
                    for left in (self._formats / format).glob(f"{file_of(format, precision).stem}.*"):
                        left.unlink()
        return failures

    def _convert_one(self, converter: Converter, format: str, precision: str) -> None:
        self._on_event({"kind": "phase", "name": f"converting to {format} {precision}"})
        converter.convert(format, precision, self._formats)
        self._on_event({"kind": "phase", "name": f"comparing {format} {precision}"})
        # As `infer` runs it: in bfloat16, what is found depends a little on how many cores share a picture.
        engine = open_engine(self._formats, ENGINE_OF_FORMAT[format], precision, side_by_side=True)
        check = self._check(engine, file_of(format, precision).as_posix(), precision)
        if not check.good:
            raise self._refused(check.model, check.refusals)

    def _check(self, engine: Engine, model: str, precision: str) -> Check:
        check = self._original.check(engine, model, precision, self._on_event)
        self._checks.append(check)
        self._on_event({"kind": "checked", "check": self._described(check)})
        return check

    def _described(self, check: Check) -> dict[str, Any]:
        return {**check.to_dict(), "pictures": self._original.summary(), "versions": versions()}

    def _calibration(self) -> list[Path]:
        """Training pictures for the ranges of integers, as files, if they are needed."""
        if all(precision != INT8 for _, precision in self._job.missing):
            return []
        return calibration_images(self._job.config.run, self._job.metadata.label_map, self._work / "calibration")

    def _refused(self, model: str, reasons: Any) -> EngineError:
        """The error for a model that is not good; its report stays in the run folder."""
        path = self._job.config.run / REFUSED_NAME
        write_json(path, self._parity([check for check in self._checks if not check.good or check.model == model]))
        return EngineError(
            f"{self._job.out / model}: refused, it does not find what the checkpoint finds: {'; '.join(reasons)}. "
            f"Nothing of it was kept; the numbers are in {path}."
        )

    def _parity(self, checks: list[Check]) -> dict[str, Any]:
        return {
            "format": parity_file.FORMAT,
            "checkpoint": self._job.chosen.origin.to_dict(),
            "checks": [self._described(check) for check in checks],
        }

    def _put_in_place(self) -> dict[str, Any]:
        """Move the models that were found good to where they belong; parity.json comes last."""
        job, good = self._job, [check for check in self._checks if check.good]
        parity = self._parity(good)
        if job.keep:
            new = {check.model for check in good}
            before = read_parity(job.out).get("checks", [])
            parity["checks"] = [check for check in before if check["model"] not in new] + parity["checks"]
        else:
            self._tell_what_goes(job.out, {check.model for check in good})
        target = job.out if job.keep else self._model
        for made in sorted(path for path in self._formats.glob("*/*") if path.is_file()):
            place = target / made.relative_to(self._formats)
            make_folder(place.parent)
            made.replace(place)
        write_json(target / parity_file.FILE_NAME, parity)
        if not job.keep:
            replace_folder(self._model, job.out)
        return parity

    def _tell_what_goes(self, out: Path, new: set[str]) -> None:
        gone = sorted(_good_models(out) - new - {SAVED_MODEL})
        if gone:
            message = f"{out}: {', '.join(gone)} of an older export went with it. Name the format to make it again."
            self._report.add("format-gone", "warning", message)


def _specs(engine: SavedModelEngine) -> Specs:
    return engine.signatures(), engine.output_specs()


def _try_out(engine: SavedModelEngine) -> None:
    """Run it on a grey picture; its shapes must fit the label map."""
    import numpy as np

    raw = engine.detect(np.full((240, 320, 3), 128, np.uint8))
    slots = engine.metadata.label_map.num_keypoints
    if slots and (raw.get("detection_keypoints") is None or raw["detection_keypoints"].shape[1] != slots):
        found = raw["detection_keypoints"].shape if "detection_keypoints" in raw else "no keypoints"
        raise EngineError(f"{engine.folder}: the exported model gives {found}; expected {slots} keypoints per object.")
    if not all(np.isfinite(raw[name]).all() for name in raw):
        raise EngineError(f"{engine.folder}: the exported model gives values that are not finite; its weights are bad.")
