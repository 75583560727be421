"""Which object in one picture is which in the next: ByteTrack, of the package `trackers`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kpt_tools.entities import Detection, Prediction
from kpt_tools.lazy import require

LOST_S = 1.0
"""An object that is not seen for longer gets a new number when it comes back."""
MIN_IOU = 0.1

_PURPOSE = "tracking (--track)"
_BUFFER_FPS = 30  # what `lost_track_buffer` counts in


class ObjectTracker:
    """Numbers objects over the pictures of a sequence: a video, a camera, or a folder of pictures in order.

    Objects of one class are matched by their boxes: a Kalman filter predicts where each will be, and the assignment
    with the largest overlaps is taken (Zhang et al., ByteTrack, 2022). Numbers are never used twice, also not for
    another sequence.
    """

    def __init__(self, min_score: float) -> None:
        """Take trackers from the package.

        Args:
            min_score: detections of at least this score start a track.

        Raises:
            MissingDependencyError: the package `trackers` is not installed.
        """
        self._new = require("trackers", purpose=_PURPOSE).ByteTrackTracker
        self._boxes = require("supervision", purpose=_PURPOSE).Detections
        self._min_score = min_score
        self._sequence: str | None = None
        self._of_class: dict[int, Any] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._next = 1

    def update(self, prediction: Prediction, sequence: str, fps: float) -> Prediction:
        """The prediction for the next picture, with the numbers of its objects.

        An object gets its number when it is seen for the second time.

        Args:
            prediction: of the picture.
            sequence: what it belongs to; another one than before starts anew.
            fps: pictures per second.
        """
        if sequence != self._sequence:
            self._sequence = sequence
            self._of_class.clear()
            self._numbers.clear()
        rows: dict[int, list[int]] = {class_id: [] for class_id in self._of_class}
        for row, found in enumerate(prediction.detections):
            rows.setdefault(found.class_id, []).append(row)
        detections = list(prediction.detections)
        for class_id, own in rows.items():
            tracker = self._of_class.get(class_id) or self._start(class_id, fps)
            for row, number in zip(own, self._tracked(tracker, [detections[row] for row in own]), strict=True):
                detections[row] = replace(detections[row], track_id=self._number(class_id, number))
        return replace(prediction, detections=tuple(detections))

    def _start(self, class_id: int, fps: float) -> Any:
        tracker = self._new(
            lost_track_buffer=round(LOST_S * _BUFFER_FPS),
            frame_rate=fps,
            track_activation_threshold=self._min_score,
            high_conf_det_threshold=self._min_score,
            minimum_consecutive_frames=1,
            minimum_iou_threshold=MIN_IOU,
        )
        self._of_class[class_id] = tracker
        return tracker

    def _tracked(self, tracker: Any, found: Sequence[Detection]) -> list[int]:
        """The tracker's own numbers for detections of one class; -1 where there is none yet."""
        if not found:
            tracker.update(self._boxes.empty())
            return []
        x, y, width, height = np.array([row.box_xywh_px for row in found], np.float64).T
        boxes = self._boxes(
            xyxy=np.stack([x, y, x + width, y + height], axis=1),
            confidence=np.array([row.score for row in found], np.float64),
            data={"row": np.arange(len(found))},
        )
        tracked = tracker.update(boxes)
        numbers = dict(zip(tracked.data["row"].tolist(), tracked.tracker_id.tolist(), strict=True))
        return [numbers.get(row, -1) for row in range(len(found))]

    def _number(self, class_id: int, number: int) -> int | None:
        if number < 0:
            return None
        if (class_id, number) not in self._numbers:
            self._numbers[class_id, number] = self._next
            self._next += 1
        return self._numbers[class_id, number]
