from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kpt_tools.entities import Detection, Instance, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.metrics.result import AveragePrecision, EvalResult, mean_precision, number, percent

PLIER_BOX = (0.0, 0.0, 100.0, 100.0)
CUP_BOX = (200.0, 0.0, 50.0, 50.0)
BOLT_BOX = (300.0, 0.0, 40.0, 40.0)


def metadata() -> ModelMetadata:
    """Two keypoints, three keypoints (slots 2..4), none."""

    def item(class_id: int, name: str, first: int, names: list[str]) -> LabelMapItem:
        slots = tuple(KeypointLabel(first + i, f"{name}_{n}", n) for i, n in enumerate(names))
        return LabelMapItem(class_id, name, slots)

    items = (item(1, "plier", 0, ["left", "right"]), item(2, "cup", 2, ["rim", "l", "r"]), item(3, "bolt", 5, []))
    return ModelMetadata(LabelMap(items), flip_pairs=((0, 1), (3, 4), (4, 3)))


def truth() -> tuple[Instance, ...]:
    return (
        Instance(1, 1, 1, PLIER_BOX, keypoints_xyv=((10, 10, 2), (90, 10, 2))),
        Instance(2, 1, 2, CUP_BOX, keypoints_xyv=((210, 5, 2), (205, 20, 2), (245, 20, 1))),
        Instance(3, 1, 3, BOLT_BOX),
    )


def perfect(score: float = 0.9) -> tuple[Detection, ...]:
    names = {1: "plier", 2: "cup", 3: "bolt"}
    return tuple(
        Detection(
            t.category_id,
            names[t.category_id],
            score,
            t.box_xywh_px or PLIER_BOX,
            tuple((x, y, 1.0) for x, y, _ in t.keypoints_xyv),
        )
        for t in truth()
    )


def run(detections: tuple[Detection, ...], objects: tuple[Instance, ...] | None = None, **settings: Any) -> EvalResult:
    pairs = [ImagePair("a.jpg", truth() if objects is None else objects, detections)]
    return evaluate(pairs, metadata(), **{"sigmas": (0.05,) * 5, **settings})


def test_perfect() -> None:
    result = run(perfect())
    assert result.box == AveragePrecision(pytest.approx(1), pytest.approx(1), pytest.approx(1))
    assert result.oks == AveragePrecision(pytest.approx(1), pytest.approx(1), pytest.approx(1))
    assert [part.objects for part in result.classes] == [1, 1, 1]
    assert [part.matched for part in result.classes] == [1, 1, 1]
    assert [part.swap_pairs for part in result.classes] == [1, 1, 0]
    assert result.classes[0].errors is not None
    assert result.classes[0].errors.pck == (1.0, 1.0, 1.0)


def test_class_without_keypoints_has_boxes_only() -> None:
    bolt = run(perfect()).classes[2]
    assert (bolt.oks, bolt.errors, bolt.keypoints, bolt.swap_rate) == (None, None, (), None)
    assert bolt.box.ap == pytest.approx(1)


def test_each_class_uses_its_own_sigmas() -> None:
    plier, cup, bolt = perfect()
    moved = tuple((x + 10, y, s) for x, y, s in plier.keypoints_xys)  # 10 % of the root of the area
    found = (replace(plier, keypoints_xys=moved), cup, bolt)
    strict = run(found, sigmas=(0.05, 0.05, 9.0, 9.0, 9.0)).classes[0]
    loose = run(found, sigmas=(9.0, 9.0, 0.05, 0.05, 0.05)).classes[0]
    assert strict.oks is not None
    assert loose.oks is not None
    assert strict.oks.ap == pytest.approx(0.3)
    assert loose.oks.ap == pytest.approx(1.0)
    assert [keypoint.sigma for keypoint in strict.keypoints] == [0.05, 0.05]


def test_mean_over_classes_with_objects() -> None:
    plier, cup, _ = perfect()
    result = run((plier,), (truth()[0], truth()[1]))
    assert result.classes[2].box == AveragePrecision(None, None, None)
    assert result.box.ap == pytest.approx(0.5)
    assert result.oks.ap == pytest.approx(0.5)
    assert cup.class_id == 2


def test_swapped_pair_is_counted_once() -> None:
    plier, cup, bolt = perfect()
    rim, left, right = cup.keypoints_xys
    result = run((plier, replace(cup, keypoints_xys=(rim, right, left)), bolt))
    assert [(part.swapped, part.swap_pairs) for part in result.classes] == [(0, 1), (1, 1), (0, 0)]
    assert result.classes[1].swap_rate == 1.0
    assert [(pair.names, pair.rate) for pair in result.classes[1].swaps] == [(("l", "r"), 1.0)]


def test_min_score_leaves_out() -> None:
    result = run(perfect(0.4), min_score=0.5)
    assert [part.detections for part in result.classes] == [0, 0, 0]
    assert result.box.ap == 0.0
    assert result.classes[0].median_score is None
    assert result.classes[0].best_score is None
    assert result.confusion.min_score == 0.5


def test_what_the_numbers_depend_on_is_stored() -> None:
    objects = (*truth(), Instance(4, 1, 1, None), Instance(5, 1, 1, PLIER_BOX, iscrowd=True, area_px=5))
    stored = run(perfect(), objects, area="segm").to_dict()
    assert (stored["boxless"], stored["crowds"], stored["area_fallbacks"]) == (1, 1, 4)
    assert (stored["area"], stored["sigmas"], stored["box_max_detections"]) == ("segm", [0.05] * 5, 100)
    assert stored["classes"][0]["keypoints"][0]["label"] == "plier_left"
    assert stored["confusion"]["matrix"] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert stored["confusion"]["columns"] == ["plier", "cup", "bolt", "missed"]
    assert len(stored["pck_curve_fractions"]) == len(stored["classes"][0]["errors"]["pck_curve"]) == 31
    assert stored["classes"][0]["best_score"] == {"score": 0.9, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    json.dumps(stored, allow_nan=False)


def test_spread_of_oks_counts_what_was_missed() -> None:
    plier, cup, bolt = perfect()
    moved = tuple((x + 10, y, s) for x, y, s in plier.keypoints_xys)  # 10 % of the root of the area: OKS 0.61
    result = run((replace(plier, keypoints_xys=moved), bolt))
    first, second, third = (part.oks_spread for part in result.classes)
    assert first is not None
    assert [index for index, count in enumerate(first.counts) if count] == [12]
    assert (first.missed, first.median) == (0, pytest.approx(0.6065, abs=1e-4))
    assert second is not None
    assert (sum(second.counts), second.missed, second.median) == (0, 1, None)
    assert third is None, "a class without keypoints"
    assert cup.class_id == 2


@pytest.mark.parametrize(
    ("sigmas", "text"), [((0.05,) * 5, "0.05"), ((0.05, 0.1, 0.1, 0.1, 0.1), "0.05 to 0.1, per keypoint")]
)
def test_sigma_text(sigmas: tuple[float, ...], text: str) -> None:
    assert run(perfect(), sigmas=sigmas).sigma_text == text


def test_wrong_number_of_sigmas() -> None:
    with pytest.raises(ValueError, match="2 sigmas for 5 keypoints"):
        run(perfect(), sigmas=(0.05, 0.05))


def test_mean_of_nothing_is_none() -> None:
    assert mean_precision([None, AveragePrecision(None, None, None)]) == AveragePrecision(None, None, None)


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(None, 3, "n/a"), (0.0, 3, "0.000"), (2.25, 1, "2.2"), (1, 3, "1.000")]
)
def test_number(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(("value", "digits", "text"), [(None, 0, "n/a"), (0.094, 0, "9 %"), (1.0, 1, "100.0 %")])
def test_percent(value: float | None, digits: int, text: str) -> None:
    assert percent(value, digits) == text
