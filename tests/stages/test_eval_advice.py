from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kpt_tools.metrics.confusion import Confusion, ScorePoint
from kpt_tools.metrics.oks import spread
from kpt_tools.metrics.pck import CURVE_FRACTIONS, KeypointErrors
from kpt_tools.metrics.result import AveragePrecision, ClassResult, EvalResult, KeypointResult, PairSwaps
from kpt_tools.report.learning_curve import parse_results
from kpt_tools.report.run_page import Hint
from kpt_tools.stages.best_checkpoint import Best
from kpt_tools.stages.eval_advice import RunFacts, advice

GOOD = AveragePrecision(0.9, 1.0, 0.95)
EXACT = KeypointErrors(200, (0.95, 0.99, 1.0), 1.0, 2.0, 3.0, 0.01, 0.02, (0.9,) * 31)


def result(**changes: object) -> EvalResult:
    """200 mice, all found, exact: nothing to advise."""
    keypoints = tuple(KeypointResult(name, name, 0.05, EXACT) for name in ("nose", "left", "right"))
    values: dict[str, object] = {
        "class_id": 1,
        "name": "mouse",
        "objects": 200,
        "detections": 200,
        "matched": 200,
        "median_score": 0.9,
        "box": GOOD,
        "oks": GOOD,
        "errors": EXACT,
        "keypoints": keypoints,
        "swaps": (PairSwaps(("left", "right"), 0, 200),),
        "oks_spread": spread([0.9], 0),
        "best_score": ScorePoint(0.4, 1.0, 1.0, 1.0),
    }
    mouse = ClassResult(**{**values, **changes})  # type: ignore[arg-type]
    confusion = Confusion(0.3, ("mouse",), ((200, 0), (0, 0)))
    return EvalResult(100, (mouse,), GOOD, GOOD, (0.05,) * 3, "bbox", 0, 0, 0, 0.0, 100, 20, confusion)


def titles(hints: Sequence[Hint]) -> list[str]:
    return [hint.title for hint in hints]


def only(hints: Sequence[Hint]) -> Hint:
    assert len(hints) == 1, titles(hints)
    return hints[0]


def test_no_hint_without_a_reason() -> None:
    assert advice(result(), RunFacts()) == []


def test_nothing_found_is_the_only_thing_told() -> None:
    hint = only(advice(replace(result(objects=5), box=AveragePrecision(0.0, 0.0, 0.0)), RunFacts(run="runs/a")))
    assert (hint.tone, hint.title, hint.command) == (
        "error",
        "The model finds nothing",
        "kpt-tools train --run runs/a --steps MORE",
    )
    nothing = AveragePrecision(None, None, None)
    assert only(advice(replace(result(objects=0), box=nothing), RunFacts())).title == "Nothing to find"


def test_finer_hints_wait_until_something_is_learned() -> None:
    little = AveragePrecision(0.1, 0.4, 0.01)
    swaps = (PairSwaps(("left", "right"), 50, 100),)
    curve = parse_results("step,Loss/total_loss\n1,3\n100,3\n")
    facts = RunFacts(run="runs/a", curve=curve, labels={"nose": 9})
    hints = advice(replace(result(matched=90, swaps=swaps), box=little), facts)
    assert titles(hints) == ["The model has learned little yet", "Few labels"]
    assert "90 of 200 objects are overlapped by half at any score, and box AP50 is 0.40" in hints[0].text
    assert hints[0].command == "kpt-tools train runs/a/pipeline.config --run runs/a --steps 200"


def test_a_score_that_is_nearly_the_same_is_not_proposed() -> None:
    counted = Confusion(0.3, ("mouse",), ((150, 50), (0, 0)))
    point = ScorePoint(0.29, 0.95, 0.95, 0.95)
    hint = only(advice(replace(result(best_score=point), confusion=counted), RunFacts()))
    assert hint.title == "mouse: missed and false detections"


def test_missed_and_false_detections() -> None:
    counted = Confusion(0.3, ("mouse",), ((190, 10), (4, 0)))
    point = ScorePoint(0.28, 0.98, 0.97, 0.97)
    hint = only(advice(replace(result(matched=197, best_score=point), confusion=counted), RunFacts()))
    assert hint.title == "mouse: missed and false detections"
    assert "10 of 200 objects are missed and 4 of 194 detections have no object of their own" in hint.text
    assert "7 of the missed ones are found with lower scores" in hint.text


def test_a_better_score_is_proposed_and_rounded_so_that_it_keeps_what_it_promises() -> None:
    counted = Confusion(0.3, ("mouse",), ((100, 100), (0, 0)))
    point = ScorePoint(0.1279, 0.95, 0.9, 0.924)
    hint = only(advice(replace(result(best_score=point), confusion=counted), RunFacts()))
    assert hint.title == "mouse: another score is better"
    assert "90 % are found and 95 % are right" in hint.text
    assert hint.command == "kpt-tools infer --min-score 0.12 ..."


def test_confused_classes() -> None:
    counted = Confusion(0.3, ("mouse", "rat"), ((197, 3, 0), (0, 0, 0), (0, 0, 0)))
    mouse = result().classes[0]
    both = (
        mouse,
        replace(mouse, class_id=7, name="rat", objects=0),
    )  # not all classes are annotated
    found = replace(result(), classes=both, confusion=counted)
    assert "3 times a mouse is detected as rat" in only(advice(found, RunFacts())).text


def test_exchanged_sides() -> None:
    swaps = (PairSwaps(("a", "b"), 2, 100), PairSwaps(("left", "right"), 30, 100))
    hint = only(advice(result(swaps=swaps), RunFacts()))
    assert "In 30 of 100 objects, left and right are predicted the wrong way round (32 of 200 pairs" in hint.text


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, "(9 px); for the other keypoints that is 2 %. Is it always"),
        ({"nose": 90, "left": 100, "right": 95}, "It is labelled in 90 training objects. Is it always"),
        ({"nose": 60, "left": 200, "right": 200}, "The most labelled one has 200: label it"),
    ],
)
def test_the_least_exact_keypoint_with_its_labels(labels: dict[str, int], told: str) -> None:
    usual = result().classes[0].keypoints
    worse = replace(usual[0], errors=replace(EXACT, p90_relative=0.12, p90_px=9.0))
    hint = only(advice(result(keypoints=(worse, *usual[1:])), RunFacts(labels=labels)))
    assert hint.title == "nose is the least exact"
    assert "A tenth of its predictions are more than 12 % of the box away" in hint.text
    assert told in hint.text


def test_points_that_are_right_or_far_away() -> None:
    curve = tuple(min(0.6, 12 * fraction) for fraction in CURVE_FRACTIONS)
    usual = result().classes[0].keypoints
    wrong = replace(usual[0], errors=replace(EXACT, curve=curve))
    hint = only(advice(result(keypoints=(wrong, *usual[1:])), RunFacts()))
    assert hint.title == "mouse: points at the wrong end"
    assert "more than 30 % of the box away, with little between: nose (40 %)" in hint.text


def test_few_labels() -> None:
    hint = only(advice(result(), RunFacts(labels={"nose": 49, "left": 50, "right": 3})))
    assert "fewer than 50 training objects: right (3), nose (49)." in hint.text


def test_suspicions_are_counted() -> None:
    hint = only(advice(result(), RunFacts(suspicions={"sides": 2, "unlabelled": 5, "point": 0})))
    assert hint.text.startswith("2 with left and right exchanged; 5 confident detections where nothing is annotated.")


def test_small_objects() -> None:
    facts = RunFacts(sides_at_input=(20.0, 31.9, 32.0, 90.0, 90.0), input_side=256)
    assert "2 of 5 objects are smaller than 32 px" in only(advice(result(), facts)).text
    assert advice(result(), replace(facts, sides_at_input=(20.0, *(90.0,) * 9))) == []


def test_rough_points_and_loose_boxes() -> None:
    rough = replace(EXACT, pck=(0.33, 0.5, 0.68))
    assert "68 % of the points of mouse are within 20 % of the box, 33 % within 5 %" in (
        only(advice(result(errors=rough), RunFacts())).text
    )
    loose = replace(result(), box=AveragePrecision(0.5, 0.9, 0.6))
    assert only(advice(loose, RunFacts())).title == "Boxes are found, but loose"


@pytest.mark.parametrize(("late", "told"), [(0.9, ["The loss was still falling"]), (0.99, []), (1.2, [])])
def test_the_end_of_the_training(late: float, told: list[str]) -> None:
    rows = [f"{step},{1.0 if step <= 80 else late}" for step in range(1, 101)]
    curve = parse_results("\n".join(["step,Loss/total_loss", *rows]))
    hints = advice(result(), RunFacts(run=str(Path("runs/a")), curve=curve))
    assert titles(hints) == told
    assert [hint.command for hint in hints] == [
        "kpt-tools train runs/a/pipeline.config --run runs/a-longer --steps 200" for _ in told
    ]


@pytest.mark.parametrize(("last", "told"), [(0.7, ["It was better before the end"]), (0.79, []), (0.8, [])])
def test_a_training_that_was_better_before_its_end(last: float, told: list[str]) -> None:
    validation = parse_results(f"step,oks_ap\n50,0.8\n100,{last}\n")
    hints = advice(result(), RunFacts(validation=validation, best=Best(50, "oks_ap", 0.8, {"oks_ap": 0.8})))
    assert titles(hints) == told
    if hints:
        assert "had oks_ap 0.800 at step 50 while training; at step 100 it was 0.700." in hints[0].text


def test_small_samples_and_the_order_of_hints() -> None:
    hints = advice(result(objects=40, swaps=(PairSwaps(("left", "right"), 9, 40),)), RunFacts())
    assert [hint.tone for hint in hints] == ["warning", "info"]
    assert "one of them is 2.5 % of the result" in hints[1].text
