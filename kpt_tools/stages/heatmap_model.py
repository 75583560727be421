"""The exported model that a heatmap command was pointed to, by its own folder or by its run."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.finder import PointFinder
from kpt_tools.heatmap.serving import HeatmapSavedModel, is_heatmap_model
from kpt_tools.stages.model_folder import EXPORT_NAME


def heatmap_folder(model: Path) -> Path:
    """The exported folder that `model` is, or that the run `model` holds.

    Raises:
        ConfigError: there is none.
    """
    for folder in (model, model / EXPORT_NAME):
        if is_heatmap_model(folder):
            return folder
    if not model.is_dir():
        raise ConfigError(f"{model}: no such folder; expected a run of kpt-tools heatmap train. Train first.")
    raise ConfigError(
        f"{model}: no heatmap model in it; expected a finished run of kpt-tools heatmap train, or an exported model. "
        "An unfinished run is exported with: kpt-tools heatmap export"
    )


def finder_of(model: Path, first: Path | None, decoding: str | None) -> PointFinder:
    """The finder of one or two models.

    Raises:
        ConfigError: a model is missing, or they do not fit.
        EngineError: TensorFlow cannot load one.
    """
    engine = HeatmapSavedModel(heatmap_folder(model))
    return PointFinder(engine, HeatmapSavedModel(heatmap_folder(first)) if first else None, decoding)
