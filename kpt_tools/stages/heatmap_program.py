"""The child process of `heatmap train`: ``python -m kpt_tools.stages.heatmap_program RUN``."""

from __future__ import annotations

import sys
from pathlib import Path

from kpt_tools.config.heatmap_manifest import read_data
from kpt_tools.config.model_metadata import read_metadata, write_metadata
from kpt_tools.errors import KptToolsError
from kpt_tools.fsio import replace_folder, staging_folder
from kpt_tools.heatmap.augment import AugmentPolicy
from kpt_tools.heatmap.pipeline import Source
from kpt_tools.heatmap.serving import save_model
from kpt_tools.heatmap.spec import write_spec
from kpt_tools.heatmap.training import Trainer, TrainingJob
from kpt_tools.odapi import events
from kpt_tools.odapi.precision import apply_precision
from kpt_tools.odapi.stop_signal import StopSignal
from kpt_tools.stages.heatmap_job import HeatmapJob, read_job
from kpt_tools.stages.heatmap_records import decode_patch
from kpt_tools.stages.model_folder import EXPORT_NAME


def main(run: Path) -> None:
    """Train to the end or until told to stop; export the best weights."""
    stop = StopSignal()
    job = read_job(run)
    events.emit("phase", name="importing TensorFlow")
    apply_precision(job.precision)
    try:
        _train(run, job, stop)
    except KptToolsError as exc:
        events.emit("refused", error=type(exc).__name__, message=str(exc))
        sys.exit(exc.exit_code)


def _train(run: Path, job: HeatmapJob, stop: StopSignal) -> None:
    data = read_data(job.data)
    metadata = read_metadata(job.data)
    recipe = job.recipe
    policy = AugmentPolicy(recipe.shift, recipe.zoom, recipe.flip, recipe.rotate_deg, recipe.colour)
    train, val = (
        Source(data.files(job.data, side), decode_patch, job.spec, policy, metadata.flip_pairs, job.seed)
        for side in ("train", "val")
    )
    events.emit("phase", name="building the model")
    trainer = Trainer(TrainingJob(run, train, val, recipe, data.sides["train"].objects), events.emit)
    events.emit("model", parameters=trainer.parameters)
    if trainer.run(stop):
        events.emit("stopped", step=int(trainer.step))
        return
    events.emit("phase", name="exporting")
    with staging_folder(run) as staging:
        model = staging / EXPORT_NAME
        save_model(trainer.best_model(), job.spec, model)
        write_spec(model, job.spec)
        write_metadata(model, metadata)
        replace_folder(model, run / EXPORT_NAME)
    events.emit("done", best=trainer.best)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
