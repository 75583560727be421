"""Does an exported model find what the original finds? Differences, matched sensibly, and a verdict on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kpt_tools.entities import Detection, Prediction
from kpt_tools.metrics.pairs import MATCH_IOU, iou

MIN_SCORE = 0.2
"""Detections and points with less are not compared: an untrained CenterNet scores 0.1 everywhere, in no order."""

MOVED_SHARE = 0.05
"""A point has moved if it is farther off than this share of the larger side of its box."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Absolute differences.

    Attributes:
        count: how many values were compared.
        largest: None if there were none, like the next two.
        p95: 95th percentile (linear interpolation).
        median: of all.
        image: where the largest one is.
    """

    count: int
    largest: float | None = None
    p95: float | None = None
    median: float | None = None
    image: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A detection that the other model does not have."""

    image: str
    class_name: str
    score: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same pictures.

    Attributes:
        images: number of pictures.
        detections: of the original, with a score of at least `MIN_SCORE`.
        matched: of these, with a partner: same class, box IoU at least 0.5, any score.
        lost: those without a partner.
        gained: the exported model's own from `MIN_SCORE` up that have no partner in the original.
        box_px: of matched boxes, the side that is farthest off, in pixels of the picture.
        keypoint_px: distance of the points of matched detections, those that the original scores `MIN_SCORE` or more.
        moved: how many of these points are off by more than `MOVED_SHARE` of the larger side of their box.
        weak_keypoints: points that the original scores less; not compared.
        score: of matched detections.
        ranked_score: of all scores of a picture in falling order, whatever they belong to: two models whose maps
            are nearly equal agree here even where near-tied places change their order.
        best_score: the highest score of the original.
    """

    images: int
    detections: int
    matched: int
    lost: tuple[Stray, ...]
    gained: tuple[Stray, ...]
    box_px: Spread
    keypoint_px: Spread
    moved: int
    weak_keypoints: int
    score: Spread
    ranked_score: Spread
    best_score: float

    @property
    def unmatched_share(self) -> float:
        """Detections without a partner, of those of both models."""
        strays = len(self.lost) + len(self.gained)
        return strays / (2 * self.matched + strays) if strays else 0.0

    @property
    def moved_share(self) -> float:
        """Points that have moved, of those compared."""
        return self.moved / self.keypoint_px.count if self.keypoint_px.count else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, with the limits that it depends on."""
        return {
            **asdict(self),
            "unmatched_share": self.unmatched_share,
            "moved_share": self.moved_share,
            "min_score": MIN_SCORE,
            "min_iou": MATCH_IOU,
            "moved_from": MOVED_SHARE,
        }


@dataclass(frozen=True, slots=True)
class ApChange:
    """An average precision of the original and of the exported model on the same annotated pictures."""

    name: str
    original: float
    exported: float

    @property
    def drop(self) -> float:
        """How much the exported model is worse; negative if it is better."""
        return self.original - self.exported


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What may differ.

    Attributes:
        score: detection score; of the largest difference in float32, of the 95th percentile elsewhere.
        ap_drop: box AP and OKS AP.
        unmatched: share of detections without a partner.
        moved: share of points that have moved.
        box_px: largest difference; None: not looked at, since a rounded map may prefer the neighbouring cell.
        keypoint_px: likewise.
    """

    score: float
    ap_drop: float
    unmatched: float
    moved: float
    box_px: float | None = None
    keypoint_px: float | None = None


TOLERANCES: Mapping[str, Tolerance] = {
    "float32": Tolerance(score=0.001, ap_drop=0.002, unmatched=0.0, moved=0.0, box_px=0.5, keypoint_px=0.5),
    "float16": Tolerance(score=0.01, ap_drop=0.01, unmatched=0.02, moved=0.02),
    "bfloat16": Tolerance(score=0.05, ap_drop=0.01, unmatched=0.05, moved=0.05),
    "int8": Tolerance(score=0.1, ap_drop=0.02, unmatched=0.1, moved=0.1),
}


def compare(originals: Sequence[Prediction], exported: Sequence[Prediction]) -> Comparison:
    """Compare what two models found.

    Args:
        originals: with all detections, also those of low score, one per picture.
        exported: the same pictures in the same order.

    Raises:
        ValueError: not the same pictures.
    """
    collector = _Collector()
    for original, other in zip(originals, exported, strict=True):
        if original.image != other.image:
            raise ValueError(f"'{original.image}' compared with '{other.image}'")
        collector.add(original, other)
    return collector.result(len(originals))


def partners(first: Sequence[Detection], second: Sequence[Detection]) -> list[tuple[Detection, Detection]]:
    """Detections of the same class whose boxes overlap, each in one pair at most.

    Pairs in which both score `MIN_SCORE` or more come first, then the better overlap, then the nearer score. Apart
    from that the score decides nothing: near-tied detections may change their order.
    """
    candidates = []
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            if a.class_id == b.class_id and (overlap := iou(a.box_xywh_px, b.box_xywh_px)) >= MATCH_IOU:
                key = (min(a.score, b.score) >= MIN_SCORE, overlap, -abs(a.score - b.score))
                candidates.append((key, i, j))
    pairs = []
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    for _, i, j in sorted(candidates, key=lambda row: row[0], reverse=True):
        if i not in taken_a and j not in taken_b:
            pairs.append((first[i], second[j]))
            taken_a.add(i)
            taken_b.add(j)
    return pairs


def refusals(
    comparison: Comparison, changes: Sequence[ApChange], tolerance: Tolerance, *, exact: bool = False
) -> list[str]:
    """Why an export is not good; empty if it is.

    Args:
        comparison: with the original.
        changes: of AP; none where there are no annotated pictures.
        tolerance: what may differ.
        exact: judge scores by their largest difference, as float32 has to stand it.
    """
    found = [
        f"{change.name} fell by {change.drop:.4f} ({change.original:.4f} to {change.exported:.4f}); "
        f"at most {tolerance.ap_drop:g}"
        for change in changes
        if change.drop > tolerance.ap_drop
    ]
    pixels = (
        ("a box", comparison.box_px, tolerance.box_px),
        ("a point", comparison.keypoint_px, tolerance.keypoint_px),
    )
    for what, spread, limit in pixels:
        if limit is not None and spread.largest is not None and spread.largest > limit:
            found.append(f"{what} of {spread.image} is off by {spread.largest:.2f} px; at most {limit:g}")
    scores = comparison.score if comparison.score.count else comparison.ranked_score
    off = scores.largest if exact else scores.p95
    if off is not None and off > tolerance.score:
        kind = "a score differs" if exact else "one score in twenty differs"
        found.append(f"{kind} by {off:.4f}; at most {tolerance.score:g}")
    shares = (
        ("detections have no partner", comparison.unmatched_share, tolerance.unmatched),
        (f"points moved by more than {MOVED_SHARE:.0%} of their box", comparison.moved_share, tolerance.moved),
    )
    return found + [f"{share:.1%} of the {what}; at most {limit:.0%}" for what, share, limit in shares if share > limit]


def no_detections(comparison: Comparison) -> str:
    """A sentence for a comparison that had no detection to look at; empty otherwise."""
    if comparison.detections or comparison.gained:
        return ""
    return (
        f"Nothing to compare: the original's best score is {comparison.best_score:.2f}, detections count from "
        f"{MIN_SCORE:g}. Boxes and points were not compared, only scores by their rank. Is it trained?"
    )


class _Collector:
    """Gathers differences picture by picture."""

    def __init__(self) -> None:
        self._values: dict[str, list[tuple[float, str]]] = {"box": [], "keypoint": [], "score": [], "ranked": []}
        self._lost: list[Stray] = []
        self._gained: list[Stray] = []
        self._detections = self._matched = self._moved = self._weak = 0
        self._best = 0.0

    def add(self, original: Prediction, other: Prediction) -> None:
        pairs = partners(original.detections, other.detections)
        with_partner = {id(detection) for pair in pairs for detection in pair}
        for model, strays in ((original, self._lost), (other, self._gained)):
            strays += [
                Stray(model.image, detection.class_name, detection.score)
                for detection in model.detections
                if detection.score >= MIN_SCORE and id(detection) not in with_partner
            ]
        for first, second in pairs:
            if first.score >= MIN_SCORE:
                self._matched += 1
                self._pair(first, second, original.image)
        self._detections += sum(detection.score >= MIN_SCORE for detection in original.detections)
        self._ranked(original, other)

    def _pair(self, first: Detection, second: Detection, image: str) -> None:
        self._values["box"].append((_box_difference(first, second), image))
        self._values["score"].append((abs(first.score - second.score), image))
        side = max(first.box_xywh_px[2:])
        for (x, y, score), (other_x, other_y, _) in zip(first.keypoints_xys, second.keypoints_xys, strict=True):
            if score < MIN_SCORE:
                self._weak += 1
                continue
            distance = float(np.hypot(x - other_x, y - other_y))
            self._moved += distance > MOVED_SHARE * side
            self._values["keypoint"].append((distance, image))

    def _ranked(self, original: Prediction, other: Prediction) -> None:
        ranks = max(len(original.detections), len(other.detections))
        first, second = (
            sorted([detection.score for detection in model.detections] + [0.0] * (ranks - len(model.detections)))
            for model in (original, other)
        )
        self._best = max([self._best, *first])
        self._values["ranked"] += [(abs(a - b), original.image) for a, b in zip(first, second, strict=True)]

    def result(self, images: int) -> Comparison:
        spreads = {name: _spread(values) for name, values in self._values.items()}
        return Comparison(
            images=images,
            detections=self._detections,
            matched=self._matched,
            lost=tuple(self._lost),
            gained=tuple(self._gained),
            box_px=spreads["box"],
            keypoint_px=spreads["keypoint"],
            moved=self._moved,
            weak_keypoints=self._weak,
            score=spreads["score"],
            ranked_score=spreads["ranked"],
            best_score=self._best,
        )


def _box_difference(first: Detection, second: Detection) -> float:
    """The largest shift of a side, in pixels."""
    x, y, width, height = first.box_xywh_px
    other_x, other_y, other_width, other_height = second.box_xywh_px
    right, bottom = x + width - other_x - other_width, y + height - other_y - other_height
    return max(abs(x - other_x), abs(y - other_y), abs(right), abs(bottom))


def _spread(values: Sequence[tuple[float, str]]) -> Spread:
    if not values:
        return Spread(0)
    largest, image = max(values)
    numbers = np.asarray([value for value, _ in values])
    return Spread(len(values), largest, float(np.percentile(numbers, 95)), float(np.median(numbers)), image)
