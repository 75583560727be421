from __future__ import annotations

import pytest

from kpt_tools.entities import BoxXywhPx, Detection, Instance, LabelMap, LabelMapItem
from kpt_tools.metrics.confusion import ScorePoint, best_score, confusion
from kpt_tools.metrics.pairs import ImagePair

LABEL_MAP = LabelMap((LabelMapItem(1, "cat"), LabelMapItem(2, "dog")))
HERE, NEAR, THERE = (0.0, 0.0, 10.0, 10.0), (1.0, 0.0, 10.0, 10.0), (50.0, 50.0, 10.0, 10.0)
ALL = (0.0, 0.0, 100.0, 100.0)


def truth(class_id: int, box: BoxXywhPx | None = HERE, *, crowd: bool = False) -> Instance:
    return Instance(1, 1, class_id, box, iscrowd=crowd)


def found(class_id: int, score: float = 0.9, box: BoxXywhPx = HERE) -> Detection:
    return Detection(class_id, "", score, box)


@pytest.mark.parametrize(
    ("objects", "detections", "matrix"),
    [
        pytest.param([truth(1)], [found(1)], ((1, 0, 0), (0, 0, 0), (0, 0, 0)), id="right"),
        pytest.param([truth(1)], [found(2)], ((0, 1, 0), (0, 0, 0), (0, 0, 0)), id="confused"),
        pytest.param([truth(2)], [], ((0, 0, 0), (0, 0, 1), (0, 0, 0)), id="missed"),
        pytest.param([], [found(2)], ((0, 0, 0), (0, 0, 0), (0, 1, 0)), id="made up"),
        pytest.param([truth(1)], [found(1, 0.29)], ((0, 0, 1), (0, 0, 0), (0, 0, 0)), id="below the score"),
        pytest.param([truth(1)], [found(1), found(1, 0.8, NEAR)], ((1, 0, 0), (0, 0, 0), (1, 0, 0)), id="found twice"),
        pytest.param(
            [truth(1)], [found(2, 0.99), found(1, 0.5)], ((1, 0, 0), (0, 0, 0), (0, 1, 0)), id="own class first"
        ),
        pytest.param([truth(1)], [found(1, box=THERE)], ((0, 0, 1), (0, 0, 0), (1, 0, 0)), id="elsewhere"),
        pytest.param([truth(1, ALL, crowd=True)], [found(1)], ((0, 0, 0), (0, 0, 0), (0, 0, 0)), id="in a crowd"),
        pytest.param([truth(1, ALL, crowd=True)], [found(2)], ((0, 0, 0), (0, 0, 0), (0, 1, 0)), id="of another class"),
        pytest.param([truth(1, None)], [], ((0, 0, 0), (0, 0, 0), (0, 0, 0)), id="without a box"),
    ],
)
def test_matrix(objects: list[Instance], detections: list[Detection], matrix: tuple[tuple[int, ...], ...]) -> None:
    counted = confusion([ImagePair("a", tuple(objects), tuple(detections))], LABEL_MAP, 0.3)
    assert counted.matrix == matrix
    assert counted.missed == tuple(row[-1] for row in matrix[:2])
    assert counted.made_up == matrix[2][:2]


def test_images_are_added_up_and_named() -> None:
    pairs = [ImagePair("a", (truth(1),), (found(1),)), ImagePair("b", (truth(1),), (found(2),))]
    stored = confusion(pairs, LABEL_MAP, 0.3).to_dict()
    assert stored == {
        "min_score": 0.3,
        "rows": ["cat", "dog", "nothing"],
        "columns": ["cat", "dog", "missed"],
        "matrix": [[1, 1, 0], [0, 0, 0], [0, 0, 0]],
    }


def test_best_score_balances_missed_and_made_up() -> None:
    pairs = [
        ImagePair("a", (truth(1),), (found(1, 0.9),)),
        ImagePair("b", (truth(1),), (found(1, 0.2), found(1, 0.1, THERE))),
        ImagePair("c", (truth(1, ALL, crowd=True),), (found(1, 0.95),)),
    ]
    assert best_score(pairs, 1) == ScorePoint(0.2, 1.0, 1.0, 1.0), "what lies in a crowd does not count"


def test_equal_scores_stand_or_fall_together() -> None:
    pairs = [ImagePair("a", (truth(1),), (found(1, 0.5),)), ImagePair("b", (), (found(1, 0.5),))]
    assert best_score(pairs, 1) == ScorePoint(0.5, 0.5, 1.0, pytest.approx(2 / 3))


@pytest.mark.parametrize("pair", [ImagePair("a", (), (found(1),)), ImagePair("a", (truth(1),), (found(1, box=THERE),))])
def test_no_best_score_without_a_right_detection(pair: ImagePair) -> None:
    assert best_score([pair], 1) is None
