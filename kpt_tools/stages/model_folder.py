"""Find the exported model that a command was pointed to: by its own folder, by its run, or as a model of the zoo."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.config.export import FORMATS, PRECISIONS, file_of
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.model_metadata import FILE_NAME as METADATA_NAME
from kpt_tools.errors import ConfigError
from kpt_tools.inference.saved_model import check_exported, is_exported
from kpt_tools.stages.checkpoint_choice import choose_checkpoint
from kpt_tools.stages.parity_file import exported_origin
from kpt_tools.stages.zoo_model import OnEvent, describe, folder_name, is_archive, located, silent, unpacked

EXPORT_NAME = "export"
RUN_CONFIG_NAME = "pipeline.config"
RUN_NAME = "run.json"
_MODELS = tuple(file_of(format, precision) for format in FORMATS for precision in PRECISIONS)


def is_run(folder: Path) -> bool:
    """Whether `folder` is the run folder of a training; a project folder has a pipeline.config too, but no run.json."""
    return all((folder / name).is_file() for name in (RUN_CONFIG_NAME, RUN_NAME)) and not is_exported(folder)


def exported_model(model: Path, on_event: OnEvent = silent) -> Path:
    """The exported folder that `model` is, or that the run `model` holds, or a model of the zoo.

    A model of the zoo may be named without its place, and may be its archive: that is unpacked beside itself. A
    description of its classes and keypoints is written into its folder, where it lies in an export.

    Raises:
        ConfigError: there is none; the message names the command that makes it.
        DataError: an archive is damaged or hostile.
    """
    model = located(model)
    if is_archive(model):
        model = unpacked(model, on_event)
    if is_run(model):
        if not is_exported(model / EXPORT_NAME):
            raise ConfigError(
                f"{model}: a run folder without an exported model; expected {model / EXPORT_NAME}. "
                f"Run: kpt-tools export {model}"
            )
        model = model / EXPORT_NAME
    elif is_exported(model) and (model / RUN_CONFIG_NAME).is_file() and not (model / METADATA_NAME).is_file():
        describe(model, on_event)
    check_exported(model, _MODELS)
    return model


def results_folder(model: Path, name: str) -> Path:
    """Where results about `model` go if nobody says: into its run, beside an export, in runs for a pretrained model."""
    run = run_of(model)
    if run is not None:
        return run / name
    if is_archive(model) or model.resolve().parent == MakeConfigConfig.pretrained_models.resolve():
        return Path("runs") / folder_name(model) / name
    return model.resolve().parent / name


def export_is_current(run: Path, checkpoint: str | None) -> bool:
    """Whether ``run/export`` exists and is that of the checkpoint that `checkpoint` names.

    A run without any checkpoint cannot be exported anew, so what it has is current.

    Args:
        run: a run folder.
        checkpoint: see `kpt_tools.stages.checkpoint_choice.choose_checkpoint`.

    Raises:
        ConfigError: the best is asked for, and none is kept.
    """
    exported = run / EXPORT_NAME
    if not is_exported(exported):
        return False
    chosen, origin = choose_checkpoint(run, checkpoint), exported_origin(exported)
    return chosen is None or (origin is not None and origin.sha256 == chosen.origin.sha256)


def run_of(model: Path) -> Path | None:
    """The run that `model` is, or that it was exported from (its parent folder); None if neither."""
    return next((folder for folder in (model, model.resolve().parent) if is_run(folder)), None)
