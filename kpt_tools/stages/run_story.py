"""What a run folder tells about its training: settings, losses, data. For reports; nothing of it must be there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.statistics import statistics_of
from kpt_tools.config.records_manifest import FILE_NAME as RECORDS_MANIFEST
from kpt_tools.config.records_manifest import SplitRecords, read_manifest
from kpt_tools.entities import LabelMap
from kpt_tools.errors import KptToolsError
from kpt_tools.fsio import read_text
from kpt_tools.report.learning_curve import LearningCurve, parse_results
from kpt_tools.stages.run_manifest import FILE_NAME as RUN_NAME
from kpt_tools.stages.run_manifest import read_run

RESULTS_NAME = "results.csv"
CONFIG_NAME = "pipeline.config"

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
        problems: files that are there and could not be read, each with the reason.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    curve: LearningCurve | None = None
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

    def attempt(name: str, read: Any) -> Any:
        if not (folder / name).is_file():
            return None
        try:
            return read()
        except KptToolsError as exc:
            problems.append(str(exc))
            return None

    manifest = attempt(RUN_NAME, lambda: read_run(folder)) or {}
    config = attempt(CONFIG_NAME, lambda: read_text(folder / CONFIG_NAME, what="pipeline.config")) or ""
    curve = attempt(RESULTS_NAME, lambda: parse_results(read_text(folder / RESULTS_NAME, what="table of losses")))
    if curve is not None and curve.damaged:
        problems.append(f"{folder / RESULTS_NAME}: {curve.damaged} row(s) that cannot be read were passed over.")
    return RunStory(folder, manifest, config, curve, tuple(problems))


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
