from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import DataError
from kpt_tools.inference.decode import decode


def metadata() -> ModelMetadata:
    """Class 1 owns slots 0 and 1, class 2 has no keypoints, class 3 owns slot 2."""
    items = (
        LabelMapItem(1, "plier", (KeypointLabel(0, "left", "left"), KeypointLabel(1, "right", "right"))),
        LabelMapItem(2, "bolt"),
        LabelMapItem(3, "cup", (KeypointLabel(2, "rim", "rim"),)),
    )
    return ModelMetadata(LabelMap(items))


def raw(count: int = 3) -> dict[str, Any]:
    """Detections of classes 1, 2, 3 with scores .9, .5, .7 and points that tell their slot."""
    boxes = np.tile(np.array([0.1, 0.2, 0.5, 0.6], np.float32), (count, 1))
    points = np.zeros((count, 3, 2), np.float32)
    points[:, :, 0] = [0.1, 0.2, 0.3]
    points[:, :, 1] = [0.4, 0.5, 0.6]
    return {
        "detection_boxes": boxes,
        "detection_classes": np.array([1.0, 2.0, 3.0], np.float32)[:count],
        "detection_scores": np.array([0.9, 0.5, 0.7], np.float32)[:count],
        "detection_keypoints": points,
        "detection_keypoint_scores": np.tile(np.array([0.8, 0.7, 0.6], np.float32), (count, 1)),
    }


def run(arrays: dict[str, Any], **settings: Any) -> Any:
    return decode(arrays, metadata(), image="a.jpg", **{"size_wh": (200, 100), **settings})


def test_pixels_order_and_own_keypoints() -> None:
    prediction, findings = run(raw())
    assert findings == ()
    assert (prediction.image, prediction.width, prediction.height) == ("a.jpg", 200, 100)
    assert [d.class_name for d in prediction.detections] == ["plier", "cup", "bolt"]
    plier, cup, bolt = prediction.detections
    assert plier.box_xywh_px == pytest.approx((40, 10, 80, 40))
    assert plier.keypoints_xys == (pytest.approx((80, 10, 0.8)), pytest.approx((100, 20, 0.7)))
    assert cup.keypoints_xys == (pytest.approx((120, 30, 0.6)),)
    assert bolt.keypoints_xys == ()


def test_points_outside_are_kept() -> None:
    arrays = raw(1)
    arrays["detection_keypoints"][0, 0] = [-0.1, 1.2]
    assert run(arrays)[0].detections[0].keypoints_xys[0] == pytest.approx((240, -10, 0.8))


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        pytest.param({"min_score": 0.6}, ["plier", "cup"], id="score"),
        pytest.param({"min_score": 0.95}, [], id="score above all"),
        pytest.param({"max_detections": 1}, ["plier"], id="count"),
        pytest.param({"max_detections": None}, ["plier", "cup", "bolt"], id="all"),
    ],
)
def test_limits(settings: dict[str, Any], names: list[str]) -> None:
    assert [d.class_name for d in run(raw(), **settings)[0].detections] == names


def test_integer_classes_and_float_noise() -> None:
    arrays = raw()
    arrays["detection_classes"] = np.array([0.9999999, 2, 3.0000002])
    assert [d.class_id for d in run(arrays)[0].detections] == [1, 3, 2]


@pytest.mark.parametrize(
    ("key", "index", "value", "code", "left"),
    [
        pytest.param("detection_boxes", (0, 1), np.nan, "detection-not-finite", 2, id="box NaN"),
        pytest.param("detection_boxes", (0, 3), np.inf, "detection-not-finite", 2, id="box inf"),
        pytest.param("detection_boxes", (0, 3), 0.2, "detection-empty-box", 2, id="no width"),
        pytest.param("detection_boxes", (0, 2), 0.05, "detection-empty-box", 2, id="upside down"),
        pytest.param("detection_classes", (0,), np.nan, "detection-not-finite", 2, id="class NaN"),
        pytest.param("detection_keypoints", (0, 1, 0), np.nan, "keypoint-not-finite", 3, id="point NaN"),
        pytest.param("detection_keypoint_scores", (0, 1), np.nan, "keypoint-not-finite", 3, id="point score NaN"),
    ],
)
def test_unusable_numbers_are_told(key: str, index: tuple[int, ...], value: float, code: str, left: int) -> None:
    arrays = raw()
    arrays[key][index] = value
    prediction, findings = run(arrays)
    assert [finding.code for finding in findings] == [code]
    assert findings[0].message.startswith("a.jpg: 1 detection(s) with ")
    assert len(prediction.detections) == left


def test_score_nan_is_told_unless_below_the_minimum_is_all_there_is() -> None:
    arrays = raw(1)
    arrays["detection_scores"][0] = np.nan
    prediction, findings = run(arrays, min_score=0.3)
    assert prediction.detections == ()
    assert [finding.code for finding in findings] == ["detection-not-finite"]


def test_point_that_is_no_number_becomes_zero() -> None:
    arrays = raw(1)
    arrays["detection_keypoints"][0, 1] = np.nan
    points = run(arrays)[0].detections[0].keypoints_xys
    assert points[0] == pytest.approx((80, 10, 0.8))
    assert points[1] == (0.0, 0.0, 0.0)


def test_a_bad_point_of_another_class_does_not_matter() -> None:
    arrays = raw(1)
    arrays["detection_keypoints"][0, 2] = np.nan
    assert run(arrays)[1] == ()


def test_unknown_class() -> None:
    arrays = raw()
    arrays["detection_classes"][0] = 7
    with pytest.raises(DataError, match=r"a\.jpg: the model found class 7; kpt_tools\.json has classes 1\.\.3"):
        run(arrays)


def test_other_number_of_slots() -> None:
    arrays = raw()
    arrays["detection_keypoints"] = arrays["detection_keypoints"][:, :2]
    with pytest.raises(DataError, match=r"keypoints of shape \[3, 2, 2\]; expected \[3, 3, 2\]"):
        run(arrays)


@pytest.mark.parametrize("key", sorted(raw()))
def test_missing_array(key: str) -> None:
    arrays = raw()
    del arrays[key]
    with pytest.raises(DataError, match=f"the model gives no '{key}'"):
        run(arrays)


def test_boxes_only_model_needs_no_keypoints() -> None:
    arrays = {k: v for k, v in raw(1).items() if "keypoint" not in k}
    boxes_only = ModelMetadata(LabelMap((LabelMapItem(1, "bolt"),)))
    prediction, _ = decode(arrays, boxes_only, image="a", size_wh=(10, 10))
    assert prediction.detections[0].keypoints_xys == ()
