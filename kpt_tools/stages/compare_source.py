"""Find and read the evaluations that are to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.checkpoint import LAST
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json
from kpt_tools.stages.checkpoint_choice import Origin, choose_checkpoint
from kpt_tools.stages.eval import OUT_NAME, RESULT_NAME
from kpt_tools.stages.model_folder import EXPORT_NAME, run_of
from kpt_tools.stages.run_manifest import FILE_NAME as RUN_NAME
from kpt_tools.stages.run_story import RunStory, run_story


@dataclass(frozen=True)
class Contender:
    """One of the evaluations that are compared.

    Attributes:
        name: short, different from those of the others.
        source: its eval.json.
        evaluation: the content of that.
        inputs: SHA-256 of the files that were measured on, by name; empty if that is not known.
        story: of the run folder, or None.
        outdated: the run was trained on since.
    """

    name: str
    source: Path
    evaluation: Mapping[str, Any]
    inputs: Mapping[str, str]
    story: RunStory | None
    outdated: bool

    @property
    def result(self) -> Mapping[str, Any]:
        """The numbers."""
        result: Mapping[str, Any] = self.evaluation["result"]
        return result


def contenders_of(paths: Sequence[Path]) -> list[Contender]:
    """Read the evaluations that run folders, models, eval folders or eval.json files lead to.

    Raises:
        ConfigError: one of them has not been measured, or is given twice.
        DataError: an eval.json is damaged.
    """
    sources = [_evaluation_of(path) for path in paths]
    for path, source in zip(paths, sources, strict=True):
        if sources.count(source) > 1:
            raise ConfigError(f"{path}: {source} is given twice; expected different evaluations.")
    return [_contender(name, source) for name, source in zip(_short_names(paths), sources, strict=True)]


def _evaluation_of(path: Path) -> Path:
    """The eval.json that `path` is or leads to."""
    if path.is_file():
        return path.resolve()
    run = run_of(path) if path.is_dir() else None
    places = [path / RESULT_NAME, path / OUT_NAME / RESULT_NAME, *([run / OUT_NAME / RESULT_NAME] if run else [])]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(
            f"{path}: no {RESULT_NAME} found; expected a run, model or folder that was measured. "
            f"Run: kpt-tools eval {path}"
        )
    return found.resolve()


def _contender(name: str, source: Path) -> Contender:
    evaluation = read_json(source, what="result of kpt-tools eval")
    if not isinstance(evaluation, dict) or not isinstance(evaluation.get("result"), dict):
        raise DataError(f"{source}: holds no result of kpt-tools eval. Give an eval.json, or measure again.")
    for key in ("images", "box", "oks", "sigmas", "area", "classes"):
        if key not in evaluation["result"]:
            raise DataError(f"{source}: its result has no '{key}'. Run kpt-tools eval again.")
    run = run_of(source.parent)
    story, outdated = run_story(run) if run else None, _outdated(evaluation, run, source)
    return Contender(name, source, evaluation, _inputs(evaluation, source), story, outdated)


def _inputs(evaluation: Mapping[str, Any], source: Path) -> dict[str, str]:
    """What was measured on; older eval.json files do not tell, but the run.json beside them does."""
    inputs = evaluation.get("inputs")
    beside = source.with_name(RUN_NAME)
    if inputs is None and beside.is_file():
        inputs = read_json(beside, what="run.json of an evaluation").get("inputs")
    return {name: str(entry["sha256"]) for name, entry in (inputs or {}).items() if name not in ("model", "metadata")}


def _outdated(evaluation: Mapping[str, Any], run: Path | None, source: Path) -> bool:
    """Whether the run's best, or last, checkpoint is another one by now than that of its own evaluation."""
    origin = Origin.of(evaluation.get("checkpoint"))
    if origin is None or run is None or source.parent.parent != run.resolve():
        return False
    chosen = choose_checkpoint(run, origin.which if origin.which == LAST else None)
    return chosen is not None and chosen.origin.sha256 != origin.sha256


def _short_names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them all apart, without "eval", "export" and "eval.json"."""
    parts = [_telling(path) for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(part)} ({number})" for number, part in enumerate(parts, start=1)]


def _telling(path: Path) -> tuple[str, ...]:
    parts = path.resolve().parts
    for ending in (RESULT_NAME, OUT_NAME, EXPORT_NAME):
        parts = parts[:-1] if len(parts) > 1 and parts[-1] == ending else parts
    return parts
