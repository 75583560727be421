"""`kpt-tools stats`: a data set in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.annotations.coco import read_coco
from kpt_tools.annotations.statistics import DatasetStatistics, statistics_of
from kpt_tools.config.stats import StatsConfig
from kpt_tools.entities import Report
from kpt_tools.fsio import write_json
from kpt_tools.stages.annotation_input import find_annotations
from kpt_tools.stages.outputs import refuse_overwriting


@dataclass(frozen=True)
class StatsResult:
    """The numbers, and what could not be read.

    Attributes:
        annotations: the JSON.
        statistics: of what could be read.
        report: what could not.
    """

    annotations: Path
    statistics: DatasetStatistics
    report: Report


def stats(config: StatsConfig) -> StatsResult:
    """Count what the JSON holds; images are not looked at.

    Raises:
        ConfigError: the JSON does not exist, or the output is that JSON.
        DataError: it is not COCO.
    """
    path = find_annotations(config.annotations)
    refuse_overwriting([path], {"--json": config.json})
    dataset, report = read_coco(path)
    found = statistics_of(dataset)
    if config.json is not None:
        write_json(config.json, {"annotations": str(path), **found.to_dict()})
    return StatsResult(path, found, report)
