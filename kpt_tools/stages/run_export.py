"""The exported model of a run, made anew where it is not that of the checkpoint that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kpt_tools.config.export import ExportConfig
from kpt_tools.entities import Finding
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import checkpoints
from kpt_tools.stages.checkpoint_choice import Origin, choose_checkpoint
from kpt_tools.stages.model_folder import EXPORT_NAME, export_is_current, exported_model, is_run, run_of
from kpt_tools.stages.parity_file import exported_origin

MEASURED = "checkpoint-used"

OnEvent = Callable[[dict[str, Any]], None]


def exported_for(model: Path, checkpoint: str | None, on_event: OnEvent) -> Path:
    """The exported folder to use for `model`.

    A run folder is exported first if its export is missing or of another checkpoint than is wanted; so is a run whose
    own export is named together with a checkpoint. Other models are taken as they are.

    Args:
        model: a run folder, an exported folder, or a model of the zoo.
        checkpoint: "best", "last", or None: the best where one is kept.
        on_event: called with the events of the export.

    Raises:
        ConfigError: there is no such model, or a checkpoint is named of something that is no run.
        EngineError: the export failed.
    """
    run = model if is_run(model) else None
    if checkpoint is not None and run is None:
        run = run_of(model) if model.name == EXPORT_NAME else None
        if run is None:
            raise ConfigError(f"{model}: is no run folder, so there is no --checkpoint {checkpoint}. Leave it out.")
    if run is None:
        return exported_model(model, on_event)
    chosen = choose_checkpoint(run, checkpoint)
    if chosen is not None and not export_is_current(run, checkpoint):
        from kpt_tools.stages.export import export_run

        on_event({"kind": "phase", "name": f"exporting {chosen.origin.text}"})
        export_run(ExportConfig(run=run, checkpoint=checkpoint, ap_images=ExportConfig.parity_images), on_event)
    return exported_model(run, on_event)


def origin_findings(folder: Path | None, origin: Origin | None) -> tuple[Finding, ...]:
    """What to say of the checkpoint behind an exported folder; nothing where it is not known."""
    if folder is None or origin is None:
        return ()
    run = run_of(folder)
    last = checkpoints.latest(run) if run else None
    note = f"; the last is step {last.step}" if last and last.step != origin.step else ""
    return (Finding(MEASURED, "info", f"{folder}: {origin.text}{note}."),)


def known_origin(folder: Path | None) -> Origin | None:
    """The checkpoint behind the folder that an engine was opened from, if there is one and it tells."""
    return exported_origin(folder) if folder is not None else None
