"""Points of one object in one picture: what to show the model first, what next, and the way back to the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpt_tools.annotations.geometry import box_of_keypoints
from kpt_tools.entities import BoxXywhPx, Detection, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.geometry import Image, Points, compose, scale_and_shift
from kpt_tools.heatmap.serving import HeatmapEngine, RawOutputs, decode_answer
from kpt_tools.heatmap.views import View, points_view, whole_view

BOX_PADDING = 0.15
"""Share of the points' extent that is added on each side where the object's box is made from its points."""


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        points: [K, 2] in pixels of the picture.
        scores: [K] from 0 to 1.
        view: what the model was shown last.
        raw: what it answered then.
    """

    points: Points
    scores: npt.NDArray[np.float64]
    view: View
    raw: RawOutputs

    @property
    def score(self) -> float:
        """The mean of the points' scores."""
        return float(np.mean(self.scores))

    def moved(self, x: float, y: float) -> Found:
        """The same in pixels of a picture of which the one looked at was a part, with its corner at (x, y)."""
        matrix = compose(self.view.matrix, scale_and_shift(1.0, 1.0, -x, -y))
        return Found(self.points + np.array([x, y]), self.scores, View(self.view.image, matrix), self.raw)


START_DECODING = "around-peak"
"""Of looks that only tell where to look next: where a map has two peaks, an average lies between them, on neither."""
_WIDEN = 2.0
_SURE = 0.7
"""Mean score from which an answer is taken as it is. On CAT's val, of 13 answers of a softargmax model that lay off
by more than half the distance of the eyes 11 scored less, of the other 328 only 10."""
_PART = 0.6
"""Side of the parts that an unsure search looks into, as a share of the picture's larger side."""
_WHOLE_COUNTS = 1.2
"""An answer from a part has to score so much better than that from the whole picture."""


class PointFinder:
    """Finds the points of an object in a picture, in one look or several.

    A model of the region "whole" looks once. One of "both" looks at the whole, then twice at what lies around the
    points that it found, first widely, then closely. One of "points" or "document" only knows crops: `first` has to
    find the points for the crop, or they have to be given. The decoding is that of the last look.

    Where nothing is told about the object and the answer scores low, the same search is done in five overlapping parts
    of the picture, in which a small object is larger, and the best answer is taken.
    """

    def __init__(
        self,
        engine: HeatmapEngine,
        first: HeatmapEngine | None = None,
        decoding: str | None = None,
        *,
        look_again: bool = True,
    ) -> None:
        """Take the engine, and perhaps another one for the first look; `look_again`: in parts where it is not sure.

        Raises:
            ConfigError: the models are not of the same keypoints, or the first one only knows crops itself.
        """
        if first is not None:
            names = [k.name for item in engine.metadata.label_map.items for k in item.keypoints]
            others = [k.name for item in first.metadata.label_map.items for k in item.keypoints]
            if names != others:
                raise ConfigError(f"--first: its keypoints are {', '.join(others)}; expected {', '.join(names)}.")
            if first.spec.needs_points:
                raise ConfigError(
                    f"--first: a model of region '{first.spec.region}' has to be told where to look itself; expected "
                    "one of region whole or both."
                )
        self.engine, self.first, self.decoding, self.look_again = engine, first, decoding, look_again

    @property
    def can_start(self) -> bool:
        """Whether it can look without being given points."""
        return self.first is not None or not self.engine.spec.needs_points

    def find(self, image: Image, box: BoxXywhPx | None = None, points: Points | None = None) -> Found:
        """Find the points.

        Args:
            image: [H, W, 3] uint8, upright.
            box: of the object; None: the whole picture shows it.
            points: [K, 2] roughly where they are, if that is known; then the first look is left out.

        Raises:
            ConfigError: a model of crops, and neither `first` nor points.
            EngineError: the engine failed.
        """
        found = self._search(image, box, points)
        if not self.look_again or box is not None or points is not None or found.score >= _SURE:
            return found
        best, least = found, found.score * _WHOLE_COUNTS
        for x, y, width, height in parts_of((image.shape[1], image.shape[0])):
            other = self._search(np.ascontiguousarray(image[y : y + height, x : x + width]), None, None)
            if other.score > least:
                best, least = other.moved(x, y), other.score
        return best

    def _search(self, image: Image, box: BoxXywhPx | None, points: Points | None) -> Found:
        spec = self.engine.spec
        if spec.region == "whole":
            return _look(self.engine, whole_view(spec, image, box), self.decoding)
        if points is None:
            if not self.can_start:
                raise ConfigError(
                    f"a model of region '{spec.region}' is shown crops around points and has to be told where; give a "
                    "model of region whole or both with --first, or boxes with keypoints with --boxes."
                )
            points = self._start(image, box)
        view = points_view(spec, image, points)
        if view is None:
            raise ConfigError("none of the points given is known; expected at least one to look around.")
        return _look(self.engine, view, self.decoding)

    def _start(self, image: Image, box: BoxXywhPx | None) -> Points:
        """Where to look closely."""
        starter = self.first or self.engine
        points = _look(starter, whole_view(starter.spec, image, box), START_DECODING).points
        if starter.spec.region == "both":
            wide = points_view(starter.spec, image, points, _WIDEN)
            assert wide is not None  # points of a look are always known
            points = _look(starter, wide, START_DECODING).points
        return points

    def decoded(self, view: View, raw: RawOutputs, decoding: str | None) -> Found:
        """What was found, with another decoding than the finder's; None: the one that suits the model."""
        return _found(self.engine, view, raw, decoding)


def _look(engine: HeatmapEngine, view: View, decoding: str | None) -> Found:
    return _found(engine, view, engine.run(view.image[np.newaxis]), decoding)


def _found(engine: HeatmapEngine, view: View, raw: RawOutputs, decoding: str | None) -> Found:
    ((points, scores),) = decode_answer(raw, engine.spec, decoding)
    return Found(view.to_picture(np.asarray(points, np.float64)), scores, view, raw)


def parts_of(size_wh: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Overlapping parts of a picture as x, y, width, height in whole pixels: the corners, and the middle."""
    side = max(1, round(_PART * max(size_wh)))
    width, height = (min(side, length) for length in size_wh)
    right, low = size_wh[0] - width, size_wh[1] - height
    corners = {(0, 0), (right, 0), (0, low), (right, low), (right // 2, low // 2)}
    return [(x, y, width, height) for x, y in sorted(corners)]


def detection_of(found: Found, metadata: ModelMetadata, size_wh: tuple[int, int], box: BoxXywhPx | None) -> Detection:
    """What was found as a detection: the mean of the points' scores, and the object's box or one made from its points.

    Args:
        found: points and scores.
        metadata: of the model; its first class is the object's.
        size_wh: of the picture.
        box: the box that was given, or None.
    """
    item = metadata.label_map.items[0]
    rows = zip(found.points, found.scores, strict=True)
    points = tuple((float(x), float(y), float(score)) for (x, y), score in rows)
    made = box or box_of_keypoints([(x, y, 2) for x, y, _ in points], *size_wh, BOX_PADDING)
    whole = (0.0, 0.0, float(size_wh[0]), float(size_wh[1]))
    return Detection(item.id, item.name, found.score, made or whole, points)
