"""`kpt-tools import-movenet`: the published weights of MoveNet Lightning -> a model in the zoo's layout."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kpt_tools
from kpt_tools.config.export import ExportConfig
from kpt_tools.config.import_movenet import ImportMovenetConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import read_text, sha256_of, staging_folder, write_json, write_text
from kpt_tools.odapi import commands, pipeline_config
from kpt_tools.odapi.child import run_child
from kpt_tools.odapi.movenet_config import TEMPLATE, movenet_config
from kpt_tools.odapi.movenet_map import WeightsPlan, check_values, plan_weights
from kpt_tools.odapi.movenet_weights import files_of, read_weights
from kpt_tools.pipeline.coco_classes import person_label_map
from kpt_tools.pipeline.label_map import format_label_map
from kpt_tools.stages.export import LOG_NAME as EXPORT_LOG_NAME
from kpt_tools.stages.export import export_run
from kpt_tools.stages.train import CONFIG_NAME, LABEL_MAP_NAME
from kpt_tools.zoo.layout import install

RECORD = "imported.json"
LOG_NAME = "import.log"
LACKING = ("box size", "box offset")
"""Heads that the templates have and MoveNet has not: a model that starts from it learns them from the beginning."""

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class ImportResult:
    """A model made of published weights.

    Attributes:
        folder: in the zoo's layout, with label_map.pbtxt and kpt_tools.json as an export has them.
        weights: the file that was given.
        sha256: of the files that the arrays lie in, by name.
        arrays: number of arrays that were taken over, per part of the model.
        variables: number of variables of the model that they gave values to: all that it has.
        constants: number of arrays of the file that belong to image scaling and decoding.
        lacking: heads of the templates that the weights have nothing for.
        template: the template with the same network.
    """

    folder: Path
    weights: Path
    sha256: dict[str, str]
    arrays: dict[str, int]
    variables: int
    constants: int
    lacking: tuple[str, ...] = LACKING
    template: str = TEMPLATE


def import_movenet(config: ImportMovenetConfig, on_event: OnEvent = lambda event: None) -> ImportResult:
    """Make a model of MoveNet's weights; it is loaded and run once before it takes its place.

    Raises:
        ConfigError: no such weights, or a folder is in the way.
        DataError: the weights are damaged, or those of another model.
        EngineError: the OD API failed, or the model does not work.
    """
    folder = config.out
    if (folder.exists() or folder.is_symlink()) and not config.force:
        raise ConfigError(f"{folder}: is there already. Replace it with --force, or choose another --out.")
    arrays = read_weights(config.weights)
    plan = plan_weights(arrays, str(config.weights))
    check_values(arrays, str(config.weights))
    with staging_folder(folder.parent) as staging, _keeping_log(staging / "run", folder):
        variables = _checkpoint(config.weights, staging / "run", on_event)
        model = export_run(ExportConfig(run=staging / "run", out=staging / "model"), on_event).folder
        result = _result(config, plan, variables)
        _finish(model, result)
        install(model, folder, staging / "replaced")
    return result


def _checkpoint(weights: Path, run: Path, on_event: OnEvent) -> int:
    """Make something like the run folder of a training, with the weights as its checkpoint; the number of variables."""
    label_map = write_text(run / LABEL_MAP_NAME, format_label_map(person_label_map()))
    config = write_text(run / CONFIG_NAME, pipeline_config.format(movenet_config(label_map.resolve())))
    found: dict[str, Any] = {}

    def watch(event: dict[str, Any]) -> None:
        if event["kind"] == "imported":
            found.update(event)
        on_event(event)

    command = commands.import_movenet_command(config, weights.resolve(), run)
    if run_child(command, run / LOG_NAME, watch).interrupted:
        raise KeyboardInterrupt
    return int(found["variables"])


def _result(config: ImportMovenetConfig, plan: WeightsPlan, variables: int) -> ImportResult:
    return ImportResult(
        folder=config.out,
        weights=config.weights,
        sha256={file.name: sha256_of(file) for file in files_of(config.weights)},
        arrays=dict(Counter(target.part for target in plan.targets.values())),
        variables=variables,
        constants=len(plan.constants),
    )


def _finish(model: Path, result: ImportResult) -> None:
    """Write the paths that hold in the final place, and where the model comes from."""
    message = movenet_config((result.folder / LABEL_MAP_NAME).resolve())
    write_text(model / CONFIG_NAME, pipeline_config.format(message))
    record = {
        "model": "MoveNet SinglePose Lightning 4",
        "source": str(result.weights),
        "sha256": result.sha256,
        "arrays": result.arrays,
        "variables": result.variables,
        "constants": result.constants,
        "lacking": list(result.lacking),
        "kpt_tools": kpt_tools.__version__,
    }
    write_json(model / RECORD, record)


@contextlib.contextmanager
def _keeping_log(run: Path, folder: Path) -> Iterator[None]:
    """Keep the log of a child process that failed beside `folder`, for the folder that it worked in is removed."""
    try:
        yield
    except EngineError as exc:
        kept = folder.with_name(f"{folder.name}.log")
        for log in (run / LOG_NAME, run / EXPORT_LOG_NAME):
            if log.is_file() and str(log) in str(exc):
                write_text(kept, read_text(log, what="log"))
                raise EngineError(str(exc).replace(str(log), str(kept))) from exc
        raise
