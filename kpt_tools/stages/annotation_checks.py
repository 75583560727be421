"""All checks that need no image file, on one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kpt_tools.annotations.checks.boxes import check_boxes
from kpt_tools.annotations.checks.classes import check_classes
from kpt_tools.annotations.checks.duplicates import check_duplicates
from kpt_tools.annotations.checks.poses import Pairs, PoseScore, check_poses
from kpt_tools.annotations.codes import finding
from kpt_tools.entities import Dataset, Finding, LabelMap
from kpt_tools.errors import DataError
from kpt_tools.pipeline.flips import find_flips
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.records.progress import Progress, silent


@dataclass(frozen=True)
class AnnotationChecks:
    """What the annotations alone tell.

    Attributes:
        label_map: of the classes in file order; None if there can be none.
        flip_pairs: category id to pairs of keypoint indices of that class.
        poses: scores of all objects that could be compared, the most unusual first.
        findings: what was found.
    """

    label_map: LabelMap | None
    flip_pairs: Mapping[int, Pairs]
    poses: tuple[PoseScore, ...]
    findings: tuple[Finding, ...]


def check_annotations(dataset: Dataset, flip_pairs: str | None = None, progress: Progress = silent) -> AnnotationChecks:
    """Run them all.

    Args:
        dataset: as read; its source coordinates.
        flip_pairs: as in `find_flips`.
        progress: told of the comparison of poses.

    Raises:
        ConfigError: `flip_pairs` is malformed or names a keypoint that no class has.
    """
    findings: list[Finding] = []
    label_map = _label_map(dataset, findings)
    pairs = {} if label_map is None else _flip_pairs(dataset, label_map, flip_pairs, findings)
    poses = check_poses(dataset, pairs, progress)
    findings += [*check_classes(dataset), *check_boxes(dataset), *check_duplicates(dataset), *poses.findings]
    return AnnotationChecks(label_map, pairs, poses.scores, tuple(findings))


def _label_map(dataset: Dataset, findings: list[Finding]) -> LabelMap | None:
    try:
        return label_map_of(dataset.categories) if dataset.categories else None
    except DataError as exc:
        findings.append(finding("label-map-impossible", str(exc)))
        return None


def _flip_pairs(dataset: Dataset, label_map: LabelMap, given: str | None, findings: list[Finding]) -> dict[int, Pairs]:
    """The pairs of slots of the label map, as indices within each class."""
    flips = find_flips(label_map, given)
    findings += [finding("flip-partner-missing", warning) for warning in flips.warnings]
    pairs: dict[int, Pairs] = {}
    for category, item in zip(dataset.categories, label_map.items, strict=True):
        index_of = {keypoint.id: index for index, keypoint in enumerate(item.keypoints)}
        pairs[category.id] = [(index_of[a], index_of[b]) for a, b in flips.pairs if a in index_of]
    return pairs
