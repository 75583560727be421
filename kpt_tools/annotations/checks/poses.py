"""Objects whose points form a shape unlike the others of their class, and those with left and right exchanged.

Every object is compared with the others of its class (with 2,000 of them at most). An odd pose is far even from
its fifth nearest neighbour. An object has its sides exchanged if exchanging its flip pairs brings it much nearer to
nearly all of its nearest neighbours, and as near as is usual. Where many objects seem to be exchanged they are
probably seen from another side (from behind instead of from the front), and nothing is claimed of single ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kpt_tools.annotations.checks.shapes import Real, Shapes, coverage, distances, nearest, shapes_of
from kpt_tools.annotations.codes import finding
from kpt_tools.entities import Category, Dataset, Finding

MIN_OBJECTS = 20
"""Fewer objects of a class say nothing about what is usual."""
OUTLIER_SCORE = 6.0
_RANK = 5
_LEAST_DISTANCE = 0.1
_LEAST_SPREAD = 0.02
_MAX_REFERENCES = 2000
_VOTERS = 20
_MAJORITY = 0.8
_CLEARLY = 0.7
_LEAST_GAIN = 0.05
_MOST_POINTS = 0.75
_FEW = 2
_FEW_SHARE = 0.1

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class PoseScore:
    """How unusual the points of an object are.

    Attributes:
        annotation_id: the object.
        image_id: its image.
        distance: to the fifth nearest shape of its class, 0..1.
        score: the same in robust standard deviations above the median of its class.
        swapped: pairs of keypoint indices of its class that are probably exchanged.
    """

    annotation_id: int
    image_id: int
    distance: float
    score: float
    swapped: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class PoseCheck:
    """Scores of all objects that could be compared, the most unusual first, and what is worth telling."""

    scores: tuple[PoseScore, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Swap:
    """What exchanging pairs of one object would bring."""

    pairs: tuple[tuple[int, int], ...]
    distance: float


@dataclass
class _Usual:
    """What is usual in a class."""

    shapes: Shapes
    references: Shapes
    table: Real
    distance: Real = field(init=False)
    median: float = field(init=False)
    spread: float = field(init=False)

    def __post_init__(self) -> None:
        self.distance = nearest(self.table, _RANK)
        known = self.distance[np.isfinite(self.distance)]
        self.median = float(np.median(known)) if known.size else 0.0
        deviation = float(np.median(np.abs(known - self.median))) if known.size else 0.0
        self.spread = max(1.4826 * deviation, _LEAST_SPREAD)


def check_poses(dataset: Dataset, flip_pairs: Mapping[int, Pairs] | None = None) -> PoseCheck:
    """Score the pose of every object.

    Args:
        dataset: the objects; points in pixels.
        flip_pairs: category id to pairs of keypoint indices that are each other's mirror image.
    """
    names = {image.id: image.file_name for image in dataset.images}
    scores: list[PoseScore] = []
    findings: list[Finding] = []
    for category in dataset.categories:
        instances = [i for i in dataset.instances if i.category_id == category.id]
        shapes = shapes_of(instances, len(category.keypoints))
        if len(shapes.instances) < MIN_OBJECTS:
            continue
        usual = _usual(shapes)
        swaps = _swaps(usual, (flip_pairs or {}).get(category.id, ()))
        if len(swaps) > max(_FEW, _FEW_SHARE * len(shapes.instances)):
            message = (
                f"'{category.name}': {len(swaps)} of {len(shapes.instances)} objects look mirrored against the rest; "
                "taken as seen from another side, so exchanged points are not looked for."
            )
            findings.append(finding("sides-mirrored", message))
            swaps = {}
        of_class = _scores(usual, swaps)
        scores += of_class
        findings += [found for score in of_class for found in _told(score, category, names[score.image_id], swaps)]
    scores.sort(key=lambda score: -score.score)
    return PoseCheck(tuple(scores), tuple(findings))


def _usual(shapes: Shapes) -> _Usual:
    count = len(shapes.instances)
    rows = np.arange(count)
    if count > _MAX_REFERENCES:
        rows = np.sort(np.random.default_rng(0).choice(count, _MAX_REFERENCES, replace=False))
    references = shapes.chosen(rows)
    table = distances(shapes, references)
    table[rows, np.arange(len(rows))] = np.nan  # nobody is his own neighbour
    return _Usual(shapes, references, np.where(_comparable(shapes, references, table), table, np.nan))


def _comparable(shapes: Shapes, references: Shapes, table: Real) -> NDArray[np.bool_]:
    """Which references an object is judged by: those with all of its points, or most where too few have all.

    Of the others the very point that is wrong may be missing.
    """
    share = coverage(shapes, references)
    whole = np.isfinite(table) & (share >= 1.0)
    enough = whole.sum(axis=1, keepdims=True) >= min(MIN_OBJECTS, len(references.instances) // 2)
    comparable: NDArray[np.bool_] = np.where(enough, whole, share >= _MOST_POINTS)
    return comparable


def _swaps(usual: _Usual, pairs: Pairs) -> dict[int, _Swap]:
    """Row of the object to the exchange that makes it usual; only where the evidence is strong."""
    together = tuple(pairs)
    options = [together, *((pair,) for pair in pairs)] if len(pairs) > 1 else [together] * len(pairs)
    found: dict[int, _Swap] = {}
    for option in options:
        gained = _gain(usual, option)
        for row in np.nonzero(np.isfinite(gained))[0]:
            known = found.get(int(row))
            if known is None or gained[row] < known.distance:
                found[int(row)] = _Swap(option, float(gained[row]))
    return found


def _gain(usual: _Usual, pairs: Pairs) -> Real:
    """[N] distance to the fifth nearest after exchanging `pairs`, where that is strongly called for; else NaN."""
    shapes = usual.shapes
    swapped = shapes.permuted(permutation_of(pairs, shapes.points.shape[1]))
    table = distances(swapped, usual.references)
    table[np.isnan(usual.table)] = np.nan
    both = np.fmin(usual.table, table)
    voters = np.argsort(both, axis=1)[:, :_VOTERS]
    before = np.take_along_axis(usual.table, voters, axis=1)
    after = np.take_along_axis(table, voters, axis=1)
    counted = np.isfinite(before) & np.isfinite(after)
    enough = counted.sum(axis=1) >= min(_VOTERS, MIN_OBJECTS // 2)
    before, after = np.where(counted, before, 0.0), np.where(counted, after, 0.0)
    number = np.maximum(counted.sum(axis=1), 1)
    share = ((after < _CLEARLY * before) & counted).sum(axis=1) / number
    gain = (before - after).sum(axis=1) / number
    distance = nearest(table, _RANK)
    whole = np.any([shapes.labelled[:, a] * shapes.labelled[:, b] > 0 for a, b in pairs], axis=0)
    fits = distance <= usual.median + 3 * usual.spread
    strong = enough & (share >= _MAJORITY) & (gain >= _LEAST_GAIN) & fits & whole
    called: Real = np.where(strong, distance, np.nan)
    return called


def permutation_of(pairs: Pairs, count: int) -> list[int]:
    """Slots 0..count-1 with those of each pair exchanged."""
    slots = list(range(count))
    for a, b in pairs:
        slots[a], slots[b] = b, a
    return slots


def _scores(usual: _Usual, swaps: Mapping[int, _Swap]) -> list[PoseScore]:
    return [
        PoseScore(
            instance.id,
            instance.image_id,
            round(float(distance), 4),
            round((float(distance) - usual.median) / usual.spread, 2),
            swaps[row].pairs if row in swaps else (),
        )
        for row, (instance, distance) in enumerate(zip(usual.shapes.instances, usual.distance, strict=True))
        if np.isfinite(distance)
    ]


def _told(score: PoseScore, category: Category, image: str, swaps: Mapping[int, _Swap]) -> list[Finding]:
    where = f"{image}: annotation {score.annotation_id} ('{category.name}')"
    if score.swapped:
        names = ", ".join(f"{category.keypoints[a]} and {category.keypoints[b]}" for a, b in score.swapped)
        message = (
            f"{where}: {names} are probably exchanged: the pose is {score.distance:.2f} from its neighbours, and close "
            "to them after an exchange. Look at it."
        )
        return [finding("sides-swapped", message, image=image, annotation_id=score.annotation_id)]
    if score.score > OUTLIER_SCORE and score.distance > _LEAST_DISTANCE:
        message = (
            f"{where}: the pose is {score.distance:.2f} from its neighbours (score {score.score:.1f}). Look at it."
        )
        return [finding("pose-outlier", message, image=image, annotation_id=score.annotation_id)]
    return []
