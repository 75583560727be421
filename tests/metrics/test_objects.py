from __future__ import annotations

import pytest

from kpt_tools.entities import BoxXywhPx, Detection, Instance, KeypointLabel, LabelMapItem
from kpt_tools.metrics.objects import outcomes
from kpt_tools.metrics.pairs import ImagePair

BOX = (0.0, 0.0, 100.0, 100.0)
ITEM = LabelMapItem(1, "mouse", (KeypointLabel(0, "nose", "nose"), KeypointLabel(1, "tail", "tail")))
POINTS = ((10.0, 10.0, 2), (90.0, 90.0, 1))


def thing(points: tuple[tuple[float, float, int], ...] = POINTS, box: BoxXywhPx = BOX) -> Instance:
    return Instance(1, 1, 1, box, keypoints_xyv=points)


def found(shift: float = 0.0, box: BoxXywhPx = BOX) -> Detection:
    return Detection(1, "mouse", 0.9, box, ((10.0 + shift, 10.0, 0.9), (90.0, 90.0, 0.9)))


def test_each_object_once_with_its_errors() -> None:
    missed = thing(box=(300.0, 0.0, 10.0, 10.0))
    pair = ImagePair("a", (thing(), missed), (found(10.0, (0.0, 0.0, 100.0, 80.0)),))
    first, second = outcomes(pair, ITEM, (0.05, 0.05), "bbox")
    assert (first.iou, first.errors, first.errors_px) == (pytest.approx(0.8), (0.1, 0.0), (10.0, 0.0))
    assert first.oks == pytest.approx((0.6065 + 1) / 2, abs=1e-4)
    assert (second.truth, second.detection, second.oks, second.errors) == (missed, None, None, ())


def test_points_that_are_not_labelled_have_no_error() -> None:
    (only,) = outcomes(ImagePair("a", (thing(((10.0, 10.0, 2), (0, 0, 0))),), (found(),)), ITEM, (0.05, 0.05), "bbox")
    assert (only.errors, only.oks) == ((0.0, None), 1.0)
    (bare,) = outcomes(ImagePair("a", (thing(()),), (found(),)), ITEM, (0.05, 0.05), "bbox")
    assert (bare.errors, bare.oks, bare.iou) == ((), None, 1.0)


def test_quality_puts_missed_objects_first_then_the_lowest_oks() -> None:
    pairs = [ImagePair("a", (thing(),), detections) for detections in ((found(),), (found(30.0),), (), (found(500.0),))]
    results = [outcome for pair in pairs for outcome in outcomes(pair, ITEM, (0.05, 0.05), "bbox")]
    order = sorted(range(4), key=lambda index: results[index].quality)
    assert order == [2, 3, 1, 0]
