from __future__ import annotations

import pytest

from kpt_tools.entities import Detection, Instance, KeypointLabel, LabelMapItem
from kpt_tools.metrics.objects import outcomes
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.metrics.suspects import Suspect, suspects

BOX = (0.0, 0.0, 100.0, 100.0)
NAMES = ("left", "right", "nose", "tail")
ITEM = LabelMapItem(1, "mouse", tuple(KeypointLabel(i, name, name) for i, name in enumerate(NAMES)))
PLACES = {"left": (20.0, 20.0), "right": (60.0, 20.0), "nose": (40.0, 5.0), "tail": (40.0, 95.0)}


def pair_of(score: float = 0.9, point_score: float = 0.9, **moved: tuple[float, float]) -> ImagePair:
    """An object as annotated, and a detection that agrees but for what is moved."""
    truth = Instance(1, 1, 1, BOX, keypoints_xyv=tuple((*PLACES[name], 2) for name in NAMES))
    points = tuple((*{**PLACES, **moved}[name], point_score) for name in NAMES)
    return ImagePair("a", (truth,), (Detection(1, "mouse", score, BOX, points),))


def found_in(pair: ImagePair) -> list[Suspect]:
    return list(suspects(pair, ITEM, outcomes(pair, ITEM, (0.05,) * 4, "bbox"), [(0, 1)]))


def test_agreement_is_not_suspicious() -> None:
    assert found_in(pair_of()) == []


def test_sides_that_fit_when_exchanged() -> None:
    (only,) = found_in(pair_of(left=(61.0, 20.0), right=(20.0, 22.0)))
    assert (only.kind, only.text) == ("sides", "left and right fit when exchanged")
    assert only.strength == pytest.approx(0.4, abs=0.02)


def test_one_point_far_away() -> None:
    (only,) = found_in(pair_of(nose=(40.0, 45.0)))
    assert (only.kind, only.text) == ("point", "nose is 40 % of the box away, the other points are near")


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair_of(nose=(40.0, 15.0)), id="not far enough"),
        pytest.param(pair_of(nose=(40.0, 45.0), tail=(40.0, 60.0)), id="two points are off"),
        pytest.param(pair_of(nose=(40.0, 45.0), score=0.2), id="an unsure detection"),
        pytest.param(pair_of(nose=(40.0, 45.0), point_score=0.1), id="an unsure point"),
        pytest.param(pair_of(left=(60.0, 60.0), right=(20.0, 60.0)), id="sides wrong both ways"),
    ],
)
def test_not_clear_enough(pair: ImagePair) -> None:
    assert found_in(pair) == []


@pytest.mark.parametrize(
    ("score", "place", "crowd", "count"),
    [(0.8, 300.0, False, 1), (0.4, 300.0, False, 0), (0.8, 20.0, False, 0), (0.8, 300.0, True, 0)],
    ids=["confident and apart", "unsure", "beside an object", "in a crowd"],
)
def test_detection_without_an_object(score: float, place: float, crowd: bool, count: int) -> None:
    pair = pair_of()
    extra = Detection(1, "mouse", score, (place, 0.0, 100.0, 100.0), pair.detections[0].keypoints_xys)
    region = (Instance(2, 1, 1, (250.0, 0.0, 300.0, 300.0), iscrowd=True),) if crowd else ()
    found = found_in(ImagePair("a", pair.truth + region, (*pair.detections, extra)))
    assert [suspect.kind for suspect in found] == ["unlabelled"] * count
