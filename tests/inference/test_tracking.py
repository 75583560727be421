"""ByteTrack of the package `trackers`, as `--track` uses it."""

from __future__ import annotations

import pytest

from kpt_tools.entities import Detection, Prediction
from kpt_tools.inference.tracking import ObjectTracker

pytest.importorskip("trackers", reason="the extra `video` is not installed")


def found(x: float, y: float = 50.0, class_id: int = 1, score: float = 0.8) -> Detection:
    return Detection(class_id, f"class {class_id}", score, (x, y, 40.0, 30.0), ((x, y, 0.5),))


def numbers(
    tracker: ObjectTracker, *detections: Detection, sequence: str = "clip", fps: float = 10.0
) -> list[int | None]:
    prediction = Prediction("frame", 640, 480, detections)
    tracked = tracker.update(prediction, sequence, fps)
    assert [(d.box_xywh_px, d.score, d.keypoints_xys) for d in tracked.detections] == [
        (d.box_xywh_px, d.score, d.keypoints_xys) for d in detections
    ], "nothing else changes, nor the order"
    return [detection.track_id for detection in tracked.detections]


def test_two_objects_that_move_keep_their_numbers_whatever_the_order() -> None:
    tracker = ObjectTracker(0.3)
    assert numbers(tracker, found(10), found(400)) == [None, None]
    first, second = numbers(tracker, found(16), found(394))
    assert {first, second} == {1, 2}
    for step in range(2, 12):
        left, right = found(10 + 6 * step), found(400 - 6 * step)
        if step % 2:
            assert numbers(tracker, right, left) == [second, first]
        else:
            assert numbers(tracker, left, right) == [first, second]


def test_an_object_that_is_lost_for_a_moment_keeps_its_number() -> None:
    tracker = ObjectTracker(0.3)
    for step in range(5):
        numbers(tracker, found(100 + step))
    for _ in range(3):
        assert numbers(tracker) == []
    assert numbers(tracker, found(107)) == [1]


def test_an_object_that_comes_back_late_gets_a_new_number() -> None:
    tracker = ObjectTracker(0.3)
    for _ in range(4):
        numbers(tracker, found(100))
    for _ in range(25):
        numbers(tracker)
    assert [numbers(tracker, found(100)) for _ in range(2)][1] == [2]


def test_objects_of_two_classes_in_one_place() -> None:
    tracker = ObjectTracker(0.3)
    numbers(tracker, found(100), found(101, class_id=2))
    both = numbers(tracker, found(100), found(101, class_id=2))
    assert sorted(filter(None, both)) == [1, 2]
    assert numbers(tracker, found(101, class_id=2), found(100)) == both[::-1]


def test_another_sequence_starts_anew_and_uses_no_number_twice() -> None:
    tracker = ObjectTracker(0.3)
    for _ in range(3):
        last = numbers(tracker, found(100))
    assert last == [1]
    assert numbers(tracker, found(100), sequence="other") == [None]
    assert numbers(tracker, found(100), sequence="other") == [2]


def test_weak_objects_are_tracked_too() -> None:
    tracker = ObjectTracker(0.2)
    assert [numbers(tracker, found(100, score=0.21)) for _ in range(3)] == [[None], [1], [1]]
