"""Keeps the pictures worth looking at while images are measured: the worst objects, and suspicions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from kpt_tools.entities import Detection, Instance, LabelMapItem, ModelMetadata
from kpt_tools.metrics.evaluate import own_pairs
from kpt_tools.metrics.objects import ObjectOutcome, outcomes
from kpt_tools.metrics.oks import AreaSource
from kpt_tools.metrics.pairs import ImagePair, iou
from kpt_tools.metrics.result import percent
from kpt_tools.metrics.suspects import Suspect, SuspectKind, suspects
from kpt_tools.report.crops import Crop, crop_around, crop_with_errors, drawn_crop, jpeg
from kpt_tools.report.page import Picture
from kpt_tools.report.run_page import ComparedObject
from kpt_tools.stages.eval_truth import TruthImage

WORST = 20
SUSPECTS_PER_KIND = 6
_SIDE_PX = 400
_BESIDE_IOU = 0.1
_BESIDE = 2


@dataclass(frozen=True)
class _Kept:
    """What is needed to draw an object later; pixels only of its crop."""

    rank: tuple[float, ...]
    image: str
    note: str
    crop: Crop
    truth: Instance | None
    found: tuple[Detection, ...]


class _Ranking:
    """The first `size` by rank, lowest first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.kept: list[_Kept] = []

    def offer(self, rank: tuple[float, ...], make: Callable[[], _Kept]) -> None:
        """Take it if it is among the first; only then `make` is called."""
        if len(self.kept) == self._size and rank >= self.kept[-1].rank:
            return
        self.kept.append(make())
        self.kept.sort(key=lambda entry: entry.rank)
        del self.kept[self._size :]


@dataclass
class PictureCollector:
    """Looks at each image once, when its pixels are at hand.

    Attributes:
        metadata: of the model.
        sigmas: OKS sigma per keypoint slot.
        area: source of the A in the OKS formula.
        suspicions: how often each kind was found.
        sides_at_input: the larger side of each annotated box in pixels of the network's input.
    """

    metadata: ModelMetadata
    sigmas: Sequence[float]
    area: AreaSource
    suspicions: Counter[SuspectKind] = field(default_factory=Counter)
    sides_at_input: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with nothing kept."""
        self._worst = _Ranking(WORST)
        self._suspects = {kind: _Ranking(SUSPECTS_PER_KIND) for kind in get_args(SuspectKind)}

    def add(self, image: TruthImage, detections: tuple[Detection, ...]) -> None:
        """Take an image with what was found in it."""
        pair = ImagePair(image.name, image.instances, detections)
        scale = max(self.metadata.input_hw) / max(image.rgb.shape[:2])
        for item in self.metadata.label_map.items:
            own = [self.sigmas[keypoint.id] for keypoint in item.keypoints]
            found = list(outcomes(pair, item, own, self.area))
            for outcome in found:
                if outcome.truth.box_xywh_px is not None and scale > 0:
                    self.sides_at_input.append(max(outcome.truth.box_xywh_px[2:]) * scale)
                self._offer_outcome(image, pair, outcome, item)
            for suspect in suspects(pair, item, found, own_pairs(item, self.metadata)):
                self.suspicions[suspect.kind] += 1
                self._offer_suspect(image, suspect)

    def worst(self) -> tuple[ComparedObject, ...]:
        """The worst objects, the very worst first."""
        return tuple(map(self._drawn, self._worst.kept))

    def suspects(self, kind: SuspectKind) -> tuple[ComparedObject, ...]:
        """The clearest suspicions of a kind."""
        return tuple(map(self._drawn, self._suspects[kind].kept))

    def _offer_outcome(self, image: TruthImage, pair: ImagePair, outcome: ObjectOutcome, item: LabelMapItem) -> None:
        found = (outcome.detection,) if outcome.detection else _beside(pair, outcome.truth)
        note = _note(outcome, item, found)
        rank = outcome.quality
        self._worst.offer(
            rank, lambda: _Kept(rank, image.name, note, _crop(image, outcome.truth, found), outcome.truth, found)
        )

    def _offer_suspect(self, image: TruthImage, suspect: Suspect) -> None:
        found, rank = (suspect.detection,), (-suspect.strength,)
        self._suspects[suspect.kind].offer(
            rank,
            lambda: _Kept(rank, image.name, suspect.text, _crop(image, suspect.truth, found), suspect.truth, found),
        )

    def _drawn(self, kept: _Kept) -> ComparedObject:
        truth = [] if kept.truth is None else [kept.truth]
        annotated = drawn_crop(kept.crop, truth, self.metadata)
        found = [_as_instance(detection) for detection in kept.found]
        if kept.truth is not None and len(found) == 1 and found[0].category_id == kept.truth.category_id:
            predicted = crop_with_errors(kept.crop, found[0], kept.truth, self.metadata)
        else:
            predicted = drawn_crop(kept.crop, found, self.metadata)
        left = Picture(jpeg(annotated), "annotated" if truth else "nothing annotated")
        scores = ", ".join(f"{detection.class_name} {detection.score:.2f}" for detection in kept.found)
        return ComparedObject(kept.image, kept.note, (left, Picture(jpeg(predicted), scores or "nothing found")))


def _crop(image: TruthImage, truth: Instance | None, found: Sequence[Detection]) -> Crop:
    from PIL import Image

    frame = [truth] if truth is not None else []
    frame += [_as_instance(detection, with_points=truth is None) for detection in found]
    pixels: Any = image.rgb
    return crop_around(Image.fromarray(pixels), frame, _SIDE_PX, square=True)


def _as_instance(detection: Detection, *, with_points: bool = True) -> Instance:
    """A detection to be drawn like an annotation."""
    points = tuple((x, y, 2) for x, y, _ in detection.keypoints_xys) if with_points else ()
    return Instance(0, 0, detection.class_id, detection.box_xywh_px, keypoints_xyv=points)


def _beside(pair: ImagePair, truth: Instance) -> tuple[Detection, ...]:
    """The best detections, of any class, that at least touch a missed object."""
    box = truth.box_xywh_px
    near = [d for d in pair.detections if box is not None and iou(d.box_xywh_px, box) >= _BESIDE_IOU]
    return tuple(sorted(near, key=lambda d: -d.score)[:_BESIDE])


def _note(outcome: ObjectOutcome, item: LabelMapItem, beside: Sequence[Detection]) -> str:
    if outcome.detection is None:
        box = outcome.truth.box_xywh_px
        best = max((iou(d.box_xywh_px, box) for d in beside if box is not None), default=0.0)
        return f"missed; the nearest box has IoU {best:.2f}" if best else "missed"
    if outcome.oks is None:
        return f"box IoU {outcome.iou:.2f}"
    worst = max((error, index) for index, error in enumerate(outcome.errors) if error is not None)
    name, pixels = item.keypoints[worst[1]].name, outcome.errors_px[worst[1]] or 0.0
    away = f"{name} is {pixels:.0f} px off ({percent(worst[0])} of the box)"
    return f"OKS {outcome.oks:.2f}, box IoU {outcome.iou:.2f}; {away}"
