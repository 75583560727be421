"""How each single object was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kpt_tools.entities import Detection, Instance, LabelMapItem
from kpt_tools.metrics.oks import AreaSource, area_of, oks
from kpt_tools.metrics.pairs import ImagePair, countable, iou, match
from kpt_tools.metrics.pck import distances


@dataclass(frozen=True, slots=True)
class ObjectOutcome:
    """An annotated object and what became of it.

    Attributes:
        truth: the object.
        detection: what was found for it (IoU >= 0.5, best score first); None if it was missed.
        iou: of the two boxes; 0.0 if it was missed.
        oks: 0..1; None without a labelled point or if it was missed.
        errors: per keypoint, the distance as a share of the larger side of the annotated box; None where the
            point is not labelled; empty if it was missed.
        errors_px: the same in pixels.
    """

    truth: Instance
    detection: Detection | None
    iou: float = 0.0
    oks: float | None = None
    errors: tuple[float | None, ...] = ()
    errors_px: tuple[float | None, ...] = ()

    @property
    def quality(self) -> tuple[float, float]:
        """To sort by, the worst first: OKS (IoU for objects without points), then the mean error, negative."""
        known = [error for error in self.errors if error is not None]
        if self.detection is None:
            return (-1.0, 0.0)
        return (self.iou if self.oks is None else self.oks, -sum(known) / len(known) if known else 0.0)


def outcomes(pair: ImagePair, item: LabelMapItem, sigmas: Sequence[float], area: AreaSource) -> Iterator[ObjectOutcome]:
    """What became of each object of one class in an image; crowds and objects without a box take no part.

    Args:
        pair: truth and detections of the image.
        item: the class.
        sigmas: one per keypoint of the class.
        area: source of the A in the OKS formula.
    """
    found = match(pair, item.id)
    taken = {id(truth) for truth, _ in found}
    for truth, detection in found:
        yield _found(truth, detection, item, sigmas, area)
    for truth in countable(pair, item.id):
        if id(truth) not in taken:
            yield ObjectOutcome(truth, None)


def _found(
    truth: Instance, detection: Detection, item: LabelMapItem, sigmas: Sequence[float], area: AreaSource
) -> ObjectOutcome:
    box = truth.box_xywh_px
    overlap = 0.0 if box is None else iou(detection.box_xywh_px, box)
    if not item.keypoints or not truth.num_labelled:
        return ObjectOutcome(truth, detection, overlap)
    found_xy = [point[:2] for point in detection.keypoints_xys]
    similarity = oks(found_xy, truth.keypoints_xyv, sigmas, area_of(truth, area))
    pixels, relative = distances([(truth, detection)], len(item.keypoints))
    return ObjectOutcome(truth, detection, overlap, similarity, _known(relative[0]), _known(pixels[0]))


def _known(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
