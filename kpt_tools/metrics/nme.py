"""Normalised mean error: the distance of points in units of the object itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

FAILURE = 0.1
"""An object with a greater NME counts as failed."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NmeResult:
    """NME over objects.

    Attributes:
        objects: how many have a norm and a labelled point.
        mean: of the objects' NME; None without objects.
        median: of the objects' NME.
        failures: share of objects with an NME above 0.1.
    """

    objects: int
    mean: float | None
    median: float | None
    failures: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """JSON-able form."""
        return asdict(self)


def nme_of_objects(pixels: FloatArray, norms_px: FloatArray) -> FloatArray:
    """NME of each object: the mean over its labelled points of |p - g| / norm.

    With the distance of the eyes as norm this is the NME of face alignment (Sagonas et al., "300 Faces in-the-Wild
    Challenge", 2013).

    Args:
        pixels: [N, K] distances, NaN where a point is not labelled.
        norms_px: [N], NaN or 0 where the object has none.

    Returns:
        [N]; NaN where there is no norm or no labelled point.
    """
    known = ~np.isnan(pixels)
    sums = np.where(known, pixels, 0.0).sum(axis=1)
    counts = known.sum(axis=1).astype(np.float64)
    divisor = np.where((counts > 0) & (norms_px > 0), counts * norms_px, np.nan)
    return np.asarray(sums / divisor, np.float64)


def pair_norms(truth_xyv: Sequence[Sequence[Sequence[float]]], pair: tuple[int, int]) -> FloatArray:
    """Distance of two labelled points of each object, such as its eyes; NaN where one of them is not labelled.

    Args:
        truth_xyv: [N][K] x, y, v.
        pair: places of the two points.
    """
    found = []
    for points in truth_xyv:
        (x1, y1, v1), (x2, y2, v2) = (points[place] for place in pair)
        found.append(float(np.hypot(x1 - x2, y1 - y2)) if min(v1, v2) > 0 else np.nan)
    return np.array(found, np.float64)


def summarise_nme(values: FloatArray) -> NmeResult:
    """Mean, median and failures of the objects' NME; NaN is left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return NmeResult(0, None, None, None)
    return NmeResult(int(known.size), float(known.mean()), float(np.median(known)), float((known > FAILURE).mean()))
