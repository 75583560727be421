from __future__ import annotations

import pytest

from kpt_tools.entities import BoxXywhPx, Detection, Instance
from kpt_tools.metrics.pairs import ImagePair, countable, iou, match


def truth(number: int, box: BoxXywhPx | None, class_id: int = 1, *, crowd: bool = False) -> Instance:
    return Instance(number, 1, class_id, box, iscrowd=crowd)


def found(score: float, box: BoxXywhPx, class_id: int = 1) -> Detection:
    return Detection(class_id, "thing", score, box)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param((0, 0, 10, 10), (0, 0, 10, 10), 1.0, id="same"),
        pytest.param((0, 0, 10, 10), (5, 0, 10, 10), 1 / 3, id="half shifted"),
        pytest.param((0, 0, 10, 10), (10, 0, 10, 10), 0.0, id="touching"),
        pytest.param((0, 0, 10, 10), (20, 20, 5, 5), 0.0, id="apart in both directions"),
        pytest.param((3, 3, 0, 0), (3, 3, 0, 0), 0.0, id="both empty"),
    ],
)
def test_iou(first: BoxXywhPx, second: BoxXywhPx, expected: float) -> None:
    assert iou(first, second) == pytest.approx(expected)
    assert iou(second, first) == pytest.approx(expected)


def test_best_score_chooses_first_and_takes_the_greatest_overlap() -> None:
    left, right = truth(1, (0, 0, 10, 10)), truth(2, (4, 0, 10, 10))
    weak, strong = found(0.5, (0, 0, 10, 10)), found(0.9, (1, 0, 10, 10))
    assert match(ImagePair("a", (left, right), (weak, strong)), 1) == [(left, strong)]


def test_each_object_is_taken_once() -> None:
    one = truth(1, (0, 0, 10, 10))
    first, second = found(0.9, (0, 0, 10, 10)), found(0.8, (0, 0, 10, 10))
    assert match(ImagePair("a", (one,), (first, second)), 1) == [(one, first)]


@pytest.mark.parametrize(
    ("shift", "count"), [pytest.param(3.33, 1, id="IoU .5003"), pytest.param(3.34, 0, id="IoU .4992")]
)
def test_least_overlap(shift: float, count: int) -> None:
    pair = ImagePair("a", (truth(1, (0, 0, 10, 10)),), (found(0.9, (shift, 0, 10, 10)),))
    assert len(match(pair, 1)) == count


def test_other_class_crowd_and_boxless_take_no_part() -> None:
    objects = (truth(1, (0, 0, 9, 9), 2), truth(2, (0, 0, 9, 9), crowd=True), truth(3, None))
    pair = ImagePair("a", objects, (found(0.9, (0, 0, 9, 9)),))
    assert match(pair, 1) == []
    assert countable(pair, 1) == []
    assert countable(pair, 2) == [objects[0]]
