"""Objects whose points form a shape unlike the others of their class, and those with left and right exchanged.

Every object is compared with the others of its class: with 2,000 of them at most, with fewer in very large classes. An
odd pose is far even from its fifth nearest neighbour. An object has its sides exchanged if exchanging its flip pairs
brings it much nearer to nearly all of its nearest neighbours, and as near as is usual. Where many objects seem to be
exchanged they are probably seen from another side (from behind instead of from the front), and nothing is claimed of
single ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

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
_MIN_REFERENCES = 500
_COMPARISONS = 20_000_000
"""About so many pairs of objects are compared in a class that is too large to compare all with all."""
_BLOCK = 512
"""Rows that are compared at once; it bounds the memory."""
_VOTERS = 20
_MAJORITY = 0.8
_CLEARLY = 0.7
_LEAST_GAIN = 0.05
_MOST_POINTS = 0.75
_FEW = 2
_FEW_SHARE = 0.1

Pairs = Sequence[tuple[int, int]]
OnBlocks = Callable[[Sequence[slice], str], Iterable[slice]]


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


@dataclass(frozen=True)
class _Others:
    """The objects of a class and those that they are compared with.

    Attributes:
        shapes: the objects.
        references: the others.
        own: [N] which of the references each object is itself; -1: none.
    """

    shapes: Shapes
    references: Shapes
    own: NDArray[np.intp]

    @property
    def blocks(self) -> list[slice]:
        """The rows of the objects in parts."""
        return [slice(start, start + _BLOCK) for start in range(0, len(self.shapes.instances), _BLOCK)]

    def table(self, rows: slice) -> Real:
        """[rows, M] distances to the references that each object is judged by; NaN for the others."""
        part = self.shapes.part(rows)
        table = distances(part, self.references)
        mine = self.own[rows]
        inside = np.nonzero(mine >= 0)[0]
        table[inside, mine[inside]] = np.nan  # nobody is his own neighbour
        return np.where(_comparable(part, self.references, table), table, np.nan)


@dataclass(frozen=True)
class _Usual:
    """How far objects of a class are from their fifth neighbour: [N], the median, and a robust deviation."""

    distance: Real
    median: float
    spread: float


def check_poses(
    dataset: Dataset, flip_pairs: Mapping[int, Pairs] | None = None, progress: OnBlocks = lambda blocks, what: blocks
) -> PoseCheck:
    """Score the pose of every object.

    Args:
        dataset: the objects; points in pixels.
        flip_pairs: category id to pairs of keypoint indices that are each other's mirror image.
        progress: told of the work, part by part.
    """
    names = {image.id: image.file_name for image in dataset.images}
    scores: list[PoseScore] = []
    findings: list[Finding] = []
    for category in dataset.categories:
        instances = [i for i in dataset.instances if i.category_id == category.id]
        shapes = shapes_of(instances, len(category.keypoints))
        if len(shapes.instances) < MIN_OBJECTS:
            continue
        others = _others(shapes)
        usual = _usual(others, progress)
        swaps = _swaps(others, usual, (flip_pairs or {}).get(category.id, ()), progress)
        if len(swaps) > max(_FEW, _FEW_SHARE * len(shapes.instances)):
            message = (
                f"'{category.name}': {len(swaps)} of {len(shapes.instances)} objects look mirrored against the rest; "
                "taken as seen from another side, so exchanged points are not looked for."
            )
            findings.append(finding("sides-mirrored", message))
            swaps = {}
        of_class = _scores(shapes, usual, swaps)
        scores += of_class
        findings += [found for score in of_class for found in _told(score, category, names[score.image_id], swaps)]
    scores.sort(key=lambda score: -score.score)
    return PoseCheck(tuple(scores), tuple(findings))


def _others(shapes: Shapes) -> _Others:
    count = len(shapes.instances)
    most = min(_MAX_REFERENCES, max(_MIN_REFERENCES, _COMPARISONS // count))
    rows = np.arange(count)
    if count > most:
        rows = np.sort(np.random.default_rng(0).choice(count, most, replace=False))
    own = np.full(count, -1)
    own[rows] = np.arange(len(rows))
    return _Others(shapes, shapes.chosen(rows), own)


def _usual(others: _Others, progress: OnBlocks) -> _Usual:
    blocks = progress(others.blocks, "comparing poses")
    distance = np.concatenate([nearest(others.table(rows), _RANK) for rows in blocks])
    known = distance[np.isfinite(distance)]
    median = float(np.median(known)) if known.size else 0.0
    deviation = float(np.median(np.abs(known - median))) if known.size else 0.0
    return _Usual(distance, median, max(1.4826 * deviation, _LEAST_SPREAD))


def _comparable(shapes: Shapes, references: Shapes, table: Real) -> NDArray[np.bool_]:
    """Which references an object is judged by: those with all of its points, or most where too few have all.

    Of the others the very point that is wrong may be missing.
    """
    share = coverage(shapes, references)
    whole = np.isfinite(table) & (share >= 1.0)
    enough = whole.sum(axis=1, keepdims=True) >= min(MIN_OBJECTS, len(references.instances) // 2)
    comparable: NDArray[np.bool_] = np.where(enough, whole, share >= _MOST_POINTS)
    return comparable


def _swaps(others: _Others, usual: _Usual, pairs: Pairs, progress: OnBlocks) -> dict[int, _Swap]:
    """Row of the object to the exchange that makes it usual; only where the evidence is strong."""
    together = tuple(pairs)
    options = [together, *((pair,) for pair in pairs)] if len(pairs) > 1 else [together] * len(pairs)
    found: dict[int, _Swap] = {}
    for rows in progress(others.blocks, "looking for exchanged sides") if options else ():
        part, now = others.shapes.part(rows), others.table(rows)
        for option in options:
            gained = _gain(part, now, others.references, usual, option)
            for row in np.nonzero(np.isfinite(gained))[0]:
                known = found.get(rows.start + int(row))
                if known is None or gained[row] < known.distance:
                    found[rows.start + int(row)] = _Swap(option, float(gained[row]))
    return found


def _gain(shapes: Shapes, now: Real, references: Shapes, usual: _Usual, pairs: Pairs) -> Real:
    """[N] distance to the fifth nearest after exchanging `pairs`, where that is strongly called for; else NaN.

    Args:
        shapes: the objects.
        now: [N, M] their distances to `references` as they are.
        references: what they are compared with.
        usual: what is usual in the class.
        pairs: keypoint indices to exchange.
    """
    swapped = shapes.permuted(permutation_of(pairs, shapes.points.shape[1]))
    table = distances(swapped, references)
    table[np.isnan(now)] = np.nan
    both = np.fmin(now, table)
    voters = np.argpartition(both, min(_VOTERS, both.shape[1]) - 1, axis=1)[:, :_VOTERS]
    before = np.take_along_axis(now, voters, axis=1)
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


def _scores(shapes: Shapes, usual: _Usual, swaps: Mapping[int, _Swap]) -> list[PoseScore]:
    return [
        PoseScore(
            instance.id,
            instance.image_id,
            round(float(distance), 4),
            round((float(distance) - usual.median) / usual.spread, 2),
            swaps[row].pairs if row in swaps else (),
        )
        for row, (instance, distance) in enumerate(zip(shapes.instances, usual.distance, strict=True))
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
