"""Export the last checkpoint of a run as a SavedModel with label map and metadata."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.export import ExportConfig
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import make_folder, write_text
from kpt_tools.inference.saved_model import SavedModelEngine
from kpt_tools.odapi import checkpoints, commands, pipeline_config, run_config
from kpt_tools.odapi.child import run_child
from kpt_tools.pipeline.label_map import format_label_map, read_label_map
from kpt_tools.stages.model_folder import EXPORT_NAME, export_is_current
from kpt_tools.stages.train import CONFIG_NAME, LABEL_MAP_NAME

LOG_NAME = "export.log"

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class ExportResult:
    """An exported model.

    Attributes:
        folder: holds saved_model/, checkpoint/, pipeline.config, label_map.pbtxt and kpt_tools.json.
        step: the step of the checkpoint.
        inputs: name to "dtype[shape]" of the SavedModel's inputs.
        outputs: name to "dtype[shape]" of its outputs.
        reused: the export that was there is that of the last checkpoint; it was loaded and run, not made anew.
    """

    folder: Path
    step: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    reused: bool = False


def export_run(config: ExportConfig, on_event: OnEvent = lambda event: None) -> ExportResult:
    """Export a run; the result is loaded again and run once before it takes its place.

    Raises:
        ConfigError: the run has no checkpoint, or `out` is a folder of something else.
        EngineError: the OD API failed, or the exported model does not work.
    """
    checkpoint = checkpoints.latest(config.run)
    if checkpoint is None:
        raise ConfigError(f"{config.run}: no checkpoint found; expected the run folder of kpt-tools train.")
    out = config.out or config.run / EXPORT_NAME
    if out == config.run / EXPORT_NAME and export_is_current(config.run) and not config.force:
        return ExportResult(out, checkpoint.step, *_verify(out), reused=True)
    if out.exists() and not (out / "saved_model").is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out}: exists and is no exported model. Choose another folder with --out.")
    message = pipeline_config.read(config.run / CONFIG_NAME)
    label_map = read_label_map(config.run / LABEL_MAP_NAME)
    resolved = run_config.resolve(message, label_map=(config.run / LABEL_MAP_NAME).resolve(), steps=None, fresh=False)
    make_folder(out.parent)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent) as temporary:
        work = Path(temporary)
        write_text(work / "in.config", pipeline_config.format(resolved))
        model = work / "model"
        command = commands.export_command(work / "in.config", checkpoint.prefix, out=model)
        if run_child(command, config.run / LOG_NAME, on_event).interrupted:
            raise KeyboardInterrupt
        write_text(model / LABEL_MAP_NAME, format_label_map(label_map))
        write_metadata(model, run_config.metadata_of(resolved, label_map))
        on_event({"kind": "phase", "name": "loading the export again"})
        inputs, outputs = _verify(model)
        _replace(out, model, work)
    return ExportResult(out, checkpoint.step, inputs, outputs)


def _verify(model: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Load the export and run it on a grey image; its shapes must fit the label map."""
    import numpy as np

    engine = SavedModelEngine(model)
    raw = engine.detect(np.full((240, 320, 3), 128, np.uint8))
    slots = engine.metadata.label_map.num_keypoints
    if slots and (raw.get("detection_keypoints") is None or raw["detection_keypoints"].shape[1] != slots):
        found = raw["detection_keypoints"].shape if "detection_keypoints" in raw else "no keypoints"
        raise EngineError(f"{model}: the exported model gives {found}; expected {slots} keypoints per detection.")
    if not all(np.isfinite(raw[name]).all() for name in raw):
        raise EngineError(f"{model}: the exported model gives values that are not finite; the weights are damaged.")
    return engine.input_specs(), engine.output_specs()


def _replace(out: Path, model: Path, work: Path) -> None:
    old = work / "old"
    if out.exists():
        out.rename(old)
    try:
        model.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
