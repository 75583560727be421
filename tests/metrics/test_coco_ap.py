"""Against pycocotools used directly, and against cases computed by hand."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kpt_tools.entities import Detection, Instance
from kpt_tools.metrics.coco_ap import box_ap, oks_ap
from kpt_tools.metrics.oks import AreaSource
from kpt_tools.metrics.pairs import ImagePair

SIGMAS = (0.05, 0.1, 0.07)


def instance(x: float = 10, y: float = 10, number: int = 1) -> Instance:
    points = ((x + 5, y + 5, 2), (x + 50, y + 40, 1), (x + 90, y + 70, 2))
    return Instance(number, 1, 1, (x, y, 100, 80), area_px=3000, keypoints_xyv=points)


def detection(of: Instance, score: float = 0.9, shift: float = 0.0) -> Detection:
    assert of.box_xywh_px is not None
    x, y, w, h = of.box_xywh_px
    points = tuple((px + shift, py, 0.8) for px, py, _ in of.keypoints_xyv)
    return Detection(of.category_id, "thing", score, (x + shift, y, w, h), points)


def noisy(images: int = 12) -> list[ImagePair]:
    """0-3 objects per image, some missed, some false, with errors; always the same."""
    random = np.random.default_rng(7)
    pairs = []
    for number in range(images):
        truth = [instance(*random.uniform(0, 400, 2), number=i + 1) for i in range(number % 4)]
        found = [detection(t, float(random.uniform(0.2, 1)), float(random.normal(0, 8))) for t in truth]
        found = [d for d in found if random.uniform() > 0.15]
        found += [detection(instance(500, 500), float(random.uniform(0, 0.5)))] * int(random.integers(0, 2))
        pairs.append(ImagePair(f"{number}.jpg", tuple(truth), tuple(found)))
    return pairs


def directly(pairs: Sequence[ImagePair], kind: str, area_factor: float = 1.0) -> list[float]:
    """AP, AP50, AP75 by pycocotools with its own loading and summary."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image_id, pair in enumerate(pairs, 1):
        for t in pair.truth:
            assert t.box_xywh_px is not None
            row = {
                "id": len(truth) + 1,
                "image_id": image_id,
                "category_id": 1,
                "bbox": list(t.box_xywh_px),
                "area": t.box_xywh_px[2] * t.box_xywh_px[3] * area_factor,
                "iscrowd": int(t.iscrowd),
                "keypoints": [v for p in t.keypoints_xyv for v in p],
                "num_keypoints": t.num_labelled,
            }
            truth.append(row)
        for d in pair.detections:
            points = [v for p in d.keypoints_xys for v in p]
            results.append(
                {
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": list(d.box_xywh_px),
                    "score": d.score,
                    "keypoints": points,
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        images = [{"id": i} for i in range(1, len(pairs) + 1)]
        coco.dataset = {"images": images, "categories": [{"id": 1}], "annotations": truth}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(results), kind)
        judge.params.kpt_oks_sigmas = np.array(SIGMAS)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [float(value) for value in judge.stats[:3]]


def as_list(part: Any) -> list[float]:
    return [part.ap, part.ap50, part.ap75]


def test_boxes_as_pycocotools_directly() -> None:
    pairs = noisy()
    assert sum(len(pair.truth) for pair in pairs) == 18
    expected = directly(pairs, "bbox")
    assert 0.2 < expected[0] < 0.95
    assert as_list(box_ap(pairs, 1)) == pytest.approx(expected)


@pytest.mark.parametrize(("area", "factor"), [("bbox", 1.0), ("bbox*0.53", 0.53)])
def test_keypoints_as_pycocotools_directly(area: AreaSource, factor: float) -> None:
    pairs = noisy()
    expected = directly(pairs, "keypoints", factor)
    assert 0.2 < expected[0] < 0.95
    assert as_list(oks_ap(pairs, 1, SIGMAS, area)) == pytest.approx(expected)


def test_objects_without_labelled_points_and_crowds_as_pycocotools_directly() -> None:
    pairs = noisy()
    blank = tuple((0.0, 0.0, 0) for _ in SIGMAS)
    changed = [
        ImagePair(
            p.name,
            tuple(
                replace(t, keypoints_xyv=blank) if i == 0 else replace(t, iscrowd=i == 1) for i, t in enumerate(p.truth)
            ),
            p.detections,
        )
        for p in pairs
    ]
    assert as_list(oks_ap(changed, 1, SIGMAS)) == pytest.approx(directly(changed, "keypoints"))
    assert as_list(box_ap(changed, 1)) == pytest.approx(directly(changed, "bbox"))


def test_perfect_is_one() -> None:
    truth = (instance(), instance(200, 200, 2))
    pairs = [ImagePair("a", truth, tuple(detection(t) for t in truth))]
    assert as_list(box_ap(pairs, 1)) == pytest.approx([1, 1, 1])
    assert as_list(oks_ap(pairs, 1, SIGMAS)) == pytest.approx([1, 1, 1])


def test_half_found_by_hand() -> None:
    """One of two objects found, exactly: precision 1 up to recall .5, that is at 51 of 101 recall points."""
    truth = (instance(), instance(200, 200, 2))
    pairs = [ImagePair("a", truth, (detection(truth[0]),))]
    assert as_list(box_ap(pairs, 1)) == pytest.approx([51 / 101] * 3)


def test_oks_thresholds_by_hand() -> None:
    """An error of 10 % of the root of the area at sigma .05 is OKS .607: right at .50, .55, .60 of ten thresholds."""
    truth = Instance(1, 1, 1, (0, 0, 100, 100), keypoints_xyv=((50, 50, 2),))
    found = Detection(1, "thing", 0.9, (0, 0, 100, 100), ((60, 50, 1),))
    result = oks_ap([ImagePair("a", (truth,), (found,))], 1, [0.05])
    assert as_list(result) == pytest.approx([0.3, 1.0, 0.0])


@pytest.mark.parametrize("with_false", [False, True], ids=["no detections", "only false ones"])
def test_nothing_found_is_zero(with_false: bool) -> None:
    found = (detection(instance(900, 900)),) if with_false else ()
    pairs = [ImagePair("a", (instance(),), found)]
    assert as_list(box_ap(pairs, 1)) == [0.0, 0.0, 0.0]
    assert as_list(oks_ap(pairs, 1, SIGMAS)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("pairs", [[], [ImagePair("a", (), ())], [ImagePair("a", (), (detection(instance()),))]])
def test_nothing_to_find_is_none_and_never_minus_one(pairs: list[ImagePair]) -> None:
    assert as_list(box_ap(pairs, 1)) == [None, None, None]
    assert as_list(oks_ap(pairs, 1, SIGMAS)) == [None, None, None]


def test_object_without_drawn_points_is_passed_over() -> None:
    bare = replace(instance(), keypoints_xyv=())
    pairs = [ImagePair("a", (bare,), (detection(instance()),))]
    assert as_list(oks_ap(pairs, 1, SIGMAS)) == [None, None, None]
    assert as_list(box_ap(pairs, 1)) == pytest.approx([1, 1, 1])


def test_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    box_ap(noisy(4), 1)
    assert capfd.readouterr().out == ""
