"""What a run folder tells about its training: settings, losses, data. For reports; nothing of it must be there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.statistics import statistics_of
from kpt_tools.config.records_manifest import FILE_NAME as RECORDS_MANIFEST
from kpt_tools.config.records_manifest import SplitRecords, read_manifest
from kpt_tools.entities import LabelMap
from kpt_tools.errors import KptToolsError
from kpt_tools.fsio import read_text
from kpt_tools.report.learning_curve import LearningCurve, parse_results
from kpt_tools.stages.best_checkpoint import Best, read_best
from kpt_tools.stages.run_manifest import FILE_NAME as RUN_NAME
from kpt_tools.stages.run_manifest import read_run
from kpt_tools.stages.train_supervisor import CONFIG_NAME, RESULTS_NAME
from kpt_tools.stages.train_validation import CSV_NAME as VALIDATION_NAME

T = TypeVar("T")

_FIELDS = {
    "batch size": r"train_config\s*\{[^{}]*?batch_size:\s*(\d+)",
    "feature extractor": r'feature_extractor\s*\{[^{}]*?type:\s*"([^"]+)"',
}


@dataclass(frozen=True)
class RunStory:
    """A run folder, looked at.

    Attributes:
        folder: the run.
        manifest: its run.json; empty if there is none.
        config: text of its pipeline.config; "" if there is none.
        curve: its results.csv; None if there is none.
        validation: its validation.csv, what was measured while training; None if there is none.
        best: its best checkpoint; None if there is none.
        problems: files that are there and could not be read, each with the reason.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    curve: LearningCurve | None = None
    validation: LearningCurve | None = None
    best: Best | None = None
    problems: tuple[str, ...] = ()

    @property
    def seconds(self) -> float | None:
        """Duration of the last start; a resumed training took longer in all."""
        value = self.manifest.get("seconds")
        return float(value) if isinstance(value, int | float) else None

    @property
    def settings(self) -> dict[str, str]:
        """What the training was started with, and what of the config matters most; by name."""
        given = self.manifest.get("config")
        named = (
            {k.replace("_", " "): str(v) for k, v in given.items() if v is not None} if isinstance(given, dict) else {}
        )
        return {
            **named,
            **{name: found[1] for name, regex in _FIELDS.items() if (found := re.search(regex, self.config))},
        }

    @cached_property
    def training_split(self) -> tuple[Path, SplitRecords] | None:
        """The JSON beside the training records, and their counts; None if the records do not tell."""
        patterns = self.manifest.get("train_records")
        if not isinstance(patterns, list) or len(patterns) != 1:
            return None
        pattern = Path(str(patterns[0]))
        if not (pattern.parent / RECORDS_MANIFEST).is_file():
            return None
        splits = read_manifest(pattern.parent).splits
        return next(
            (
                (pattern.parent / f"{name}.json", split)
                for name, split in splits.items()
                if split.pattern == pattern.name
            ),
            None,
        )

    def labels(self, label_map: LabelMap) -> dict[str, int]:
        """Training objects in which each keypoint is labelled, by its label; empty if that is not known."""
        split = self.training_split
        if split is None or not split[0].is_file():
            return {}
        dataset, _ = read_coco(split[0])
        counts = {
            (part.name, k.name): k.visible + k.hidden for part in statistics_of(dataset).classes for k in part.keypoints
        }
        return {
            keypoint.label: counts[item.name, keypoint.name]
            for item in label_map.items
            for keypoint in item.keypoints
            if (item.name, keypoint.name) in counts
        }


def run_story(folder: Path) -> RunStory:
    """Look at a run folder; what cannot be read is told in `problems`."""
    problems: list[str] = []

    def attempt(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except KptToolsError as exc:
            problems.append(str(exc))
            return None

    def table(name: str) -> LearningCurve | None:
        path = folder / name
        found = attempt(lambda: parse_results(read_text(path, what="table of a training"))) if path.is_file() else None
        if found is not None and found.damaged:
            problems.append(f"{path}: {found.damaged} row(s) that cannot be read were passed over.")
        return found

    manifest = attempt(lambda: read_run(folder)) if (folder / RUN_NAME).is_file() else None
    config = folder / CONFIG_NAME
    text = attempt(lambda: read_text(config, what="pipeline.config")) if config.is_file() else None
    return RunStory(
        folder=folder,
        manifest=manifest or {},
        config=text or "",
        curve=table(RESULTS_NAME),
        validation=table(VALIDATION_NAME),
        best=attempt(lambda: read_best(folder)),
        problems=tuple(problems),
    )


def duration_text(seconds: float | None) -> str | None:
    """A duration as in "45 s", "16 min", "2 h 05 min"; None if it is not known."""
    if seconds is None:
        return None
    minutes = round(seconds / 60)
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{minutes} min"
        if minutes < 90
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )
