"""Matching of two models' detections, differences, and the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kpt_tools.config.export import PRECISIONS
from kpt_tools.entities import Detection, Prediction
from kpt_tools.metrics.parity import (
    MIN_SCORE,
    TOLERANCES,
    ApChange,
    Comparison,
    compare,
    no_detections,
    partners,
    refusals,
)


def detection(x: float = 10.0, score: float = 0.9, class_id: int = 1, side: float = 100.0, **changes) -> Detection:
    points = ((x + 5.0, 20.0, 0.8), (x + 50.0, 60.0, 0.05))
    made = Detection(class_id, f"class {class_id}", score, (x, 10.0, side, side), points)
    return replace(made, **changes)


def prediction(*detections: Detection, image: str = "a.jpg") -> Prediction:
    return Prediction(image, 640, 480, detections)


def one(original: Detection, exported: Detection) -> Comparison:
    return compare([prediction(original)], [prediction(exported)])


def test_equal_models_differ_in_nothing() -> None:
    both = [prediction(detection(), detection(300.0, 0.5)), prediction(image="b.jpg")]
    result = compare(both, both)
    assert (result.images, result.detections, result.matched, result.lost, result.gained) == (2, 2, 2, (), ())
    assert (result.box_px.largest, result.keypoint_px.largest, result.score.largest) == (0.0, 0.0, 0.0)
    assert (result.keypoint_px.count, result.weak_keypoints, result.moved) == (2, 2, 0)
    assert result.best_score == 0.9
    assert refusals(result, (), TOLERANCES["float32"], exact=True) == []


def test_near_tied_detections_may_change_their_order() -> None:
    first = prediction(detection(score=0.5000001), detection(300.0, 0.5))
    second = prediction(detection(300.0, 0.5000001), detection(score=0.5))
    result = compare([first], [second])
    assert (result.matched, result.lost, result.gained) == (2, (), ())
    assert result.box_px.largest == 0.0
    assert result.score.largest == pytest.approx(1e-7)
    assert refusals(result, (), TOLERANCES["float32"], exact=True) == []


@pytest.mark.parametrize(
    ("exported", "box", "keypoint", "score"),
    [
        pytest.param(detection(12.0), 2.0, 2.0, 0.0, id="all shifted"),
        pytest.param(detection(side=103.0), 3.0, 0.0, 0.0, id="wider"),
        pytest.param(detection(score=0.6), 0.0, 0.0, 0.3, id="less sure"),
        pytest.param(detection(keypoints_xys=((18.0, 24.0, 0.8), (0.0, 0.0, 0.9))), 0.0, 5.0, 0.0, id="a point 3, 4"),
        pytest.param(detection(score=0.05), 0.0, 0.0, 0.85, id="a partner may score anything"),
    ],
)
def test_differences(exported: Detection, box: float, keypoint: float, score: float) -> None:
    result = one(detection(), exported)
    assert result.matched == 1
    assert result.box_px.largest == pytest.approx(box)
    assert result.keypoint_px.largest == pytest.approx(keypoint)
    assert result.score.largest == pytest.approx(score)
    assert result.box_px.image == "a.jpg"


@pytest.mark.parametrize(
    "exported", [detection(300.0), detection(class_id=2), detection(side=60.0)], ids=["elsewhere", "class", "IoU 0.36"]
)
def test_what_has_no_partner_is_named(exported: Detection) -> None:
    result = one(detection(), exported)
    assert [stray.class_name for stray in (*result.lost, *result.gained)] == ["class 1", exported.class_name]
    assert result.unmatched_share == 1.0
    assert "100.0% of the detections have no partner" in " ".join(refusals(result, (), TOLERANCES["int8"]))


def test_low_scores_are_not_compared_but_ranked() -> None:
    low = MIN_SCORE - 0.01
    result = compare([prediction(detection(score=low))], [prediction(detection(300.0, low - 0.05))])
    assert (result.detections, result.matched, result.lost, result.gained) == (0, 0, (), ())
    assert result.ranked_score.largest == pytest.approx(0.05)
    assert result.score.count == 0
    assert "best score is 0.19" in no_detections(result)
    assert refusals(result, (), TOLERANCES["float32"], exact=True) == ["a score differs by 0.0500; at most 0.001"]


def test_a_detection_that_one_model_does_not_have_counts_as_score_0() -> None:
    result = compare([prediction(detection(score=0.1))], [prediction()])
    assert result.ranked_score.largest == pytest.approx(0.1)


def test_sure_detections_take_each_other_before_unsure_ones() -> None:
    sure, double = detection(score=0.9), detection(11.0, 0.05)
    exported = (detection(11.0, 0.88), detection(11.0, 0.05))
    assert partners((sure, double), exported) == [(sure, exported[0]), (double, exported[1])]


def test_each_detection_has_one_partner() -> None:
    found = partners((detection(), detection(12.0)), (detection(11.0),))
    assert len(found) == 1


def test_moved_points_are_relative_to_the_box() -> None:
    small = detection(side=40.0)
    shifted = replace(small, keypoints_xys=((18.0, 20.0, 0.8), (60.0, 60.0, 0.05)))
    assert one(small, shifted).moved == 1
    assert one(replace(small, box_xywh_px=(10.0, 10.0, 400.0, 400.0)), shifted).moved_share == 0.0


def test_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'a\.jpg' compared with 'b\.jpg'"):
        compare([prediction()], [prediction(image="b.jpg")])
    with pytest.raises(ValueError, match="shorter"):
        compare([prediction()], [])


@pytest.mark.parametrize(
    ("exported", "reason"),
    [
        pytest.param(detection(10.6), "a box of a.jpg is off by 0.60 px; at most 0.5", id="box"),
        pytest.param(
            detection(keypoints_xys=((15.0, 20.6, 0.8), (60.0, 60.0, 0.05))),
            "a point of a.jpg is off by 0.60",
            id="point",
        ),
        pytest.param(detection(score=0.898), "a score differs by 0.0020; at most 0.001", id="score"),
    ],
)
def test_float32_is_judged_by_the_largest_difference(exported: Detection, reason: str) -> None:
    found = refusals(one(detection(), exported), (), TOLERANCES["float32"], exact=True)
    assert len([text for text in found if text.startswith(reason)]) == 1
    assert refusals(one(detection(), exported), (), TOLERANCES["float16"]) == []


def test_rounded_precisions_are_judged_by_the_many() -> None:
    originals = [prediction(detection(), image=f"{n}") for n in range(40)]
    exported = [prediction(detection(score=0.5 if n == 0 else 0.9), image=f"{n}") for n in range(40)]
    assert refusals(compare(originals, exported), (), TOLERANCES["int8"]) == []
    worse = [prediction(detection(score=0.5 if n < 4 else 0.9), image=f"{n}") for n in range(40)]
    assert refusals(compare(originals, worse), (), TOLERANCES["int8"]) == [
        "one score in twenty differs by 0.4000; at most 0.1"
    ]


def test_moved_points_are_refused() -> None:
    moved = detection(keypoints_xys=((35.0, 20.0, 0.8), (60.0, 60.0, 0.05)))
    assert refusals(one(detection(), moved), (), TOLERANCES["int8"]) == [
        "100.0% of the points moved by more than 5% of their box; at most 10%"
    ]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_fall_of_ap_is_refused_and_a_rise_is_not(precision: str) -> None:
    tolerance = TOLERANCES[precision]
    same = one(detection(), detection())
    just, too_much, better = (
        ApChange("box AP", 0.7, 0.7 - drop) for drop in (0.9 * tolerance.ap_drop, 1.1 * tolerance.ap_drop, -0.1)
    )
    assert refusals(same, (just, better), tolerance) == []
    found = refusals(same, (just, too_much), tolerance)
    assert len(found) == 1
    assert found[0].startswith("box AP fell by 0.0")


def test_comparison_is_json() -> None:
    content = one(detection(), detection(300.0)).to_dict()
    assert content["lost"] == ({"image": "a.jpg", "class_name": "class 1", "score": 0.9},)
    assert (content["min_score"], content["min_iou"], content["unmatched_share"]) == (0.2, 0.5, 1.0)
    assert no_detections(one(detection(), detection())) == ""
