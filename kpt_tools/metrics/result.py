"""What an evaluation says: one immutable value, printable and storable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from kpt_tools.metrics.confusion import Confusion, ScorePoint
from kpt_tools.metrics.oks import OksSpread
from kpt_tools.metrics.pck import CURVE_FRACTIONS, KeypointErrors


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """AP over thresholds .50:.05:.95, at .50 and at .75; None ("n/a") where there is nothing to find."""

    ap: float | None
    ap50: float | None
    ap75: float | None


@dataclass(frozen=True, slots=True)
class KeypointResult:
    """One keypoint: `label` is unique over the classes, `sigma` the one that OKS used."""

    label: str
    name: str
    sigma: float
    errors: KeypointErrors


@dataclass(frozen=True, slots=True)
class PairSwaps:
    """A left/right pair: how often the two points were predicted the wrong way round, of how many looked at."""

    names: tuple[str, str]
    swapped: int
    looked_at: int

    @property
    def rate(self) -> float | None:
        """Share that is exchanged; None if there is nothing to look at."""
        return self.swapped / self.looked_at if self.looked_at else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"pair": list(self.names), "swapped": self.swapped, "looked_at": self.looked_at, "rate": self.rate}


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class.

    Attributes:
        class_id: in the label map.
        name: of the class.
        objects: annotated ones, without crowds and without those that have no box.
        detections: over the minimum score.
        matched: objects that a detection overlaps with IoU >= 0.5; pixel errors and PCK are over these.
        median_score: of the matched detections.
        box: box AP.
        oks: keypoint AP; None for a class without keypoints.
        errors: over all keypoints of the class; None for a class without keypoints.
        keypoints: each keypoint.
        swaps: each left/right pair.
        oks_spread: how the objects' OKS are distributed; None for a class without keypoints.
        best_score: the minimum score that balances missed objects and false detections best; None without
            detections or objects.
    """

    class_id: int
    name: str
    objects: int
    detections: int
    matched: int
    median_score: float | None
    box: AveragePrecision
    oks: AveragePrecision | None
    errors: KeypointErrors | None
    keypoints: tuple[KeypointResult, ...]
    swaps: tuple[PairSwaps, ...] = ()
    oks_spread: OksSpread | None = None
    best_score: ScorePoint | None = None

    @property
    def swapped(self) -> int:
        """Left/right pairs predicted the wrong way round."""
        return sum(pair.swapped for pair in self.swaps)

    @property
    def swap_pairs(self) -> int:
        """Left/right pairs looked at."""
        return sum(pair.looked_at for pair in self.swaps)

    @property
    def swap_rate(self) -> float | None:
        """Share of left/right pairs that are exchanged; None without pairs."""
        return self.swapped / self.swap_pairs if self.swap_pairs else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "class_id": self.class_id,
            "name": self.name,
            "objects": self.objects,
            "detections": self.detections,
            "matched": self.matched,
            "median_score": self.median_score,
            "box": asdict(self.box),
            "oks": asdict(self.oks) if self.oks else None,
            "errors": self.errors.to_dict() if self.errors else None,
            "keypoints": [
                {"label": k.label, "name": k.name, "sigma": k.sigma, **k.errors.to_dict()} for k in self.keypoints
            ],
            "swapped": self.swapped,
            "swap_pairs": self.swap_pairs,
            "swap_rate": self.swap_rate,
            "swaps": [pair.to_dict() for pair in self.swaps],
            "oks_spread": asdict(self.oks_spread) if self.oks_spread else None,
            "best_score": asdict(self.best_score) if self.best_score else None,
        }


@dataclass(frozen=True, slots=True)
class EvalResult:
    """The whole evaluation.

    Attributes:
        images: how many were measured on.
        classes: in label-map order.
        box: mean of the classes' box AP, over those that have objects.
        oks: mean of the classes' keypoint AP, over those that have labelled keypoints.
        sigmas: OKS sigma per keypoint slot.
        area: source of the A in the OKS formula.
        area_fallbacks: objects whose box was taken because "segm" was asked and they have no area.
        boxless: annotated objects left out because they have no box.
        crowds: annotated crowd regions, which COCO passes over.
        min_score: detections below were left out.
        box_max_detections: per image and class, for box AP.
        oks_max_detections: per image and class, for keypoint AP.
        confusion: which classes are taken for which, and what is missed or made up.
    """

    images: int
    classes: tuple[ClassResult, ...]
    box: AveragePrecision
    oks: AveragePrecision
    sigmas: tuple[float, ...]
    area: str
    area_fallbacks: int
    boxless: int
    crowds: int
    min_score: float
    box_max_detections: int
    oks_max_detections: int
    confusion: Confusion

    @property
    def sigma_text(self) -> str:
        """``"0.05"`` where all sigmas are equal, else their range; "n/a" without keypoints."""
        if not self.sigmas:
            return "n/a"
        low, high = min(self.sigmas), max(self.sigmas)
        return f"{low:g}" if low == high else f"{low:g} to {high:g}, per keypoint"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, with everything that the numbers depend on."""
        return {
            "images": self.images,
            "box": asdict(self.box),
            "oks": asdict(self.oks),
            "sigmas": list(self.sigmas),
            "area": self.area,
            "area_fallbacks": self.area_fallbacks,
            "boxless": self.boxless,
            "crowds": self.crowds,
            "min_score": self.min_score,
            "box_max_detections": self.box_max_detections,
            "oks_max_detections": self.oks_max_detections,
            "pck_curve_fractions": list(CURVE_FRACTIONS),
            "confusion": self.confusion.to_dict(),
            "classes": [result.to_dict() for result in self.classes],
        }


def mean_precision(parts: Iterable[AveragePrecision | None]) -> AveragePrecision:
    """Mean over classes of what is there; None where no class has a number."""
    known = [part for part in parts if part is not None]
    return AveragePrecision(
        _mean(part.ap for part in known), _mean(part.ap50 for part in known), _mean(part.ap75 for part in known)
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def number(value: float | None, digits: int = 3) -> str:
    """The value, or "n/a" where there is none."""
    return "n/a" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A share as percents ("9 %"), or "n/a" where there is none."""
    return "n/a" if value is None else f"{100 * value:.{digits}f} %"
