"""`kpt-tools heatmap export`: SavedModel, TFLite and ONNX, each held against the SavedModel on real pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kpt_tools.config.export import FLOAT32, ONNX, SAVED_MODEL, TFLITE, file_of
from kpt_tools.config.heatmap import HeatmapExportConfig
from kpt_tools.config.heatmap_manifest import read_data
from kpt_tools.config.model_metadata import read_metadata, write_metadata
from kpt_tools.entities import Prediction
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import make_folder, replace_folder, staging_folder, write_json
from kpt_tools.heatmap.augment import NONE
from kpt_tools.heatmap.examples import Patch, patch_box
from kpt_tools.heatmap.finder import PointFinder
from kpt_tools.heatmap.pipeline import Source
from kpt_tools.heatmap.runtimes import HeatmapOnnx, HeatmapTflite
from kpt_tools.heatmap.serving import HeatmapEngine, HeatmapSavedModel, save_model, save_one_by_one
from kpt_tools.heatmap.spec import write_spec
from kpt_tools.heatmap.training import Trainer, TrainingJob
from kpt_tools.metrics.parity import TOLERANCES, Comparison, compare, refusals
from kpt_tools.odapi.child import program, run_child
from kpt_tools.stages.heatmap_job import read_job
from kpt_tools.stages.heatmap_measure import in_picture
from kpt_tools.stages.heatmap_records import decode_patch, read_patches
from kpt_tools.stages.model_folder import EXPORT_NAME

LOG_NAME = "export.log"
PARITY_NAME = "parity.json"
PICTURES = 50

OnEvent = Callable[[dict[str, Any]], None]

_ENGINES = {ONNX: HeatmapOnnx, TFLITE: HeatmapTflite}


@dataclass(frozen=True)
class HeatmapExportResult:
    """What was exported.

    Attributes:
        folder: holds saved_model/, the other formats, heatmap.json, kpt_tools.json and parity.json.
        epoch: whose weights it has.
        files: file by format.
        parity: comparison with the SavedModel by format.
    """

    folder: Path
    epoch: int
    files: dict[str, Path]
    parity: dict[str, Comparison]


def heatmap_export(config: HeatmapExportConfig, on_event: OnEvent = lambda event: None) -> HeatmapExportResult:
    """Export the best weights of a run, finished or not; every other format must find what the SavedModel finds.

    Args:
        config: the settings.
        on_event: called with ``{"kind": "phase", ...}``.

    Raises:
        ConfigError: no run, or a folder of something else in the way.
        DataError: damaged data of the run.
        EngineError: a conversion failed, or a format finds something else; nothing is written then.
        MissingDependencyError: a package for a format is not installed.
    """
    out = config.out or config.run / EXPORT_NAME
    if out.exists() and any(out.iterdir()) and not (out / SAVED_MODEL).is_dir():
        raise ConfigError(f"{out}: exists and is no exported model. Choose another folder with --out.")
    make_folder(out.parent)
    with staging_folder(out.parent) as staging:
        folder = staging / out.name
        on_event({"kind": "phase", "name": "exporting the best weights"})
        epoch = _save_best(config.run, folder)
        files = {SAVED_MODEL: file_of(SAVED_MODEL)}
        patches = _patches(config.run)
        reference = _predictions(HeatmapSavedModel(folder), patches)
        parity: dict[str, Comparison] = {}
        for name in config.formats:
            if name != SAVED_MODEL:
                files[name] = _convert(config.run, folder, name, staging, on_event)
                on_event({"kind": "phase", "name": f"comparing {name}"})
                parity[name] = _compared(folder, name, reference, patches)
        write_json(folder / PARITY_NAME, {name: found.to_dict() for name, found in parity.items()})
        replace_folder(folder, out)
    return HeatmapExportResult(out, epoch, {name: out / path for name, path in files.items()}, parity)


def _save_best(run: Path, folder: Path) -> int:
    """The best weights of the run as a SavedModel; the epoch they are of."""
    job = read_job(run)
    data = read_data(job.data)
    metadata = read_metadata(job.data)
    train, val = (
        Source(data.files(job.data, side), decode_patch, job.spec, NONE, metadata.flip_pairs, job.seed)
        for side in ("train", "val")
    )
    trainer = Trainer(
        TrainingJob(run, train, val, job.recipe, data.sides["train"].objects), lambda kind, **values: None
    )
    save_model(trainer.best_model(), job.spec, folder)
    write_spec(folder, job.spec)
    write_metadata(folder, metadata)
    assert trainer.best is not None
    return int(trainer.best["epoch"])


def _patches(run: Path) -> list[Patch]:
    """Objects of val to compare on."""
    job = read_job(run)
    return list(islice(read_patches(read_data(job.data).files(job.data, "val")), PICTURES))


def _convert(run: Path, folder: Path, name: str, staging: Path, on_event: OnEvent) -> Path:
    """Convert in a child process; the file, relative to the exported folder."""
    fixed = staging / "one_by_one"
    if not fixed.exists():
        save_one_by_one(folder, fixed)
    target = file_of(name)
    make_folder((folder / target).parent)
    flags = ["--graph", str(fixed), "--out", str(folder / target)]
    flags += ["--precision", FLOAT32] if name == TFLITE else []
    child = run_child(program(f"export_{name}", *flags), run / LOG_NAME, on_event, what="the conversion's process")
    if child.interrupted:
        raise KeyboardInterrupt
    if not (folder / target).is_file():
        raise EngineError(f"{run}: the conversion to {name} ended without a file (log: {child.log}).")
    return target


def _compared(folder: Path, name: str, reference: list[Prediction], patches: list[Patch]) -> Comparison:
    saved = HeatmapSavedModel(folder)
    engine = _ENGINES[name](folder / file_of(name), saved.spec, saved.metadata)
    comparison = compare(reference, _predictions(engine, patches))
    reasons = refusals(comparison, (), TOLERANCES[FLOAT32], exact=True)
    if reasons:
        raise EngineError(
            f"{name}: finds something else than the SavedModel on {comparison.images} objects of val: "
            f"{'; '.join(reasons)}. Not exported; leave the format out."
        )
    return comparison


def _predictions(engine: HeatmapEngine, patches: list[Patch]) -> list[Prediction]:
    """What a model finds in patches in one look, so that a difference is the format's and not that of another view."""
    finder = PointFinder(engine, look_again=False)
    found = []
    for number, patch in enumerate(patches):
        points = None if engine.spec.region == "whole" else patch.points
        if points is not None and np.isnan(points).all():
            continue
        answer = finder.find(patch.image, patch_box(patch, engine.spec), points)
        detection = in_picture(answer, patch, engine.metadata)
        found.append(Prediction(f"{patch.name}#{number}", *patch.picture_wh, (detection,)))
    return found
