"""Points of one object in one picture: what to show the model first, what next, and the way back to the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpt_tools.annotations.geometry import box_of_keypoints
from kpt_tools.entities import BoxXywhPx, Detection, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.geometry import Image, Points
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


START_DECODING = "around-peak"
"""Of looks that only tell where to look next: where a map has two peaks, an average lies between them, on neither."""
_WIDEN = 2.0


class PointFinder:
    """Finds the points of an object in a picture, in one look or several.

    A model of the region "whole" looks once. One of "both" looks at the whole, then twice at what lies around the
    points that it found, first widely, then closely. One of "points" or "document" only knows crops: `first` has to
    find the points for the crop, or they have to be given. The decoding is that of the last look.
    """

    def __init__(self, engine: HeatmapEngine, first: HeatmapEngine | None = None, decoding: str | None = None) -> None:
        """Take the engine, and perhaps another one for the first look.

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
        self.engine, self.first, self.decoding = engine, first, decoding

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
    return Detection(item.id, item.name, float(np.mean(found.scores)), made or whole, points)
