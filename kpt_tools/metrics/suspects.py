"""Where a model contradicts its truth so clearly that the truth may be wrong.

None of it is proof: a suspect is a reason to look at a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from kpt_tools.entities import Detection, Instance, LabelMapItem
from kpt_tools.metrics.confusion import in_crowd
from kpt_tools.metrics.objects import ObjectOutcome
from kpt_tools.metrics.pairs import ImagePair, iou, of_class
from kpt_tools.metrics.pck import distance
from kpt_tools.metrics.result import percent

SuspectKind = Literal["sides", "point", "unlabelled"]

_SURE = 0.3
"""Scores from here up are taken seriously: the default of `infer`."""
_VERY_SURE = 0.5
_NEAR, _APART, _FAR = 0.05, 0.08, 0.15
"""Distances as shares of the larger side of the annotated box."""
_ELSEWHERE_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Suspect:
    """A contradiction.

    Attributes:
        kind: "sides": left and right fit exchanged; "point": one point far away, all others near; "unlabelled":
            a confident detection where nothing is annotated.
        text: what was found, for people.
        strength: to sort by within a kind, the clearest first.
        truth: the object, if there is one.
        detection: what contradicts it.
    """

    kind: SuspectKind
    text: str
    strength: float
    truth: Instance | None
    detection: Detection


def suspects(
    pair: ImagePair, item: LabelMapItem, found: Iterable[ObjectOutcome], flips: Sequence[tuple[int, int]]
) -> Iterator[Suspect]:
    """The contradictions of one class in an image.

    Args:
        pair: truth and detections of the image.
        item: the class.
        found: its outcomes in this image.
        flips: left/right pairs as indices into its keypoints.
    """
    taken: set[int] = set()
    for outcome in found:
        if outcome.detection is None:
            continue
        taken.add(id(outcome.detection))
        if outcome.oks is not None and outcome.detection.score >= _SURE:
            swapped = list(_sides(outcome, outcome.detection, item, flips))
            yield from swapped or _points(outcome, outcome.detection, item)
    for detection in of_class(pair.detections, item.id):
        if id(detection) not in taken and detection.score >= _VERY_SURE and not in_crowd(pair, detection):
            overlaps = (iou(detection.box_xywh_px, t.box_xywh_px) for t in pair.truth if t.box_xywh_px)
            if max(overlaps, default=0.0) < _ELSEWHERE_IOU:
                text = f"{item.name} with score {detection.score:.2f}, nothing is annotated there"
                yield Suspect("unlabelled", text, detection.score, None, detection)


def _sides(
    outcome: ObjectOutcome, detection: Detection, item: LabelMapItem, flips: Sequence[tuple[int, int]]
) -> Iterator[Suspect]:
    side = max(outcome.truth.box_xywh_px[2:]) if outcome.truth.box_xywh_px else 1.0
    for a, b in flips:
        straight = [error for error in (outcome.errors[a], outcome.errors[b]) if error is not None]
        if len(straight) < 2 or min(straight) < _APART:
            continue
        crossed = max(distance(outcome.truth, detection, a, b), distance(outcome.truth, detection, b, a)) / side
        if crossed <= _NEAR:
            names = f"{item.keypoints[a].name} and {item.keypoints[b].name}"
            yield Suspect("sides", f"{names} fit when exchanged", min(straight), outcome.truth, detection)


def _points(outcome: ObjectOutcome, detection: Detection, item: LabelMapItem) -> Iterator[Suspect]:
    for index, error in enumerate(outcome.errors):
        others = [e for i, e in enumerate(outcome.errors) if e is not None and i != index]
        if error is None or error < _FAR or len(others) < 2 or max(others) > error / 2 or median(others) > _NEAR:
            continue
        score = detection.keypoints_xys[index][2]
        if score >= _SURE:
            text = f"{item.keypoints[index].name} is {percent(error)} of the box away, the other points are near"
            yield Suspect("point", text, error * score, outcome.truth, detection)
