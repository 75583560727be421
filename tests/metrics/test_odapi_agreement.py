"""Our numbers are those of the OD API's own evaluators, on the same detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from kpt_tools.entities import Detection, Instance, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.metrics.evaluate import evaluate
from kpt_tools.metrics.oks import AreaSource, area_of
from kpt_tools.metrics.pairs import ImagePair
from kpt_tools.metrics.result import AveragePrecision
from kpt_tools.odapi import compat

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("default")]

TOLERANCE = 1e-4
KEYPOINTS = {"plier": ("a", "b", "c", "d", "e"), "cup": ("rim", "left", "right"), "bolt": ()}
SIGMAS = (0.05, 0.03, 0.08, 0.05, 0.1, 0.02, 0.06, 0.05)


def label_map(names: Sequence[str]) -> LabelMap:
    items, slot = [], 0
    for number, name in enumerate(names, start=1):
        keypoints = tuple(KeypointLabel(slot + i, f"{name}_{k}", k) for i, k in enumerate(KEYPOINTS[name]))
        items.append(LabelMapItem(number, name, keypoints))
        slot += len(keypoints)
    return LabelMap(tuple(items))


@dataclass(frozen=True)
class Scene:
    """How random images are: `noise` relative to the objects, the rest as shares of the objects."""

    classes: tuple[str, ...] = ("plier",)
    noise: float = 0.0
    missed: float = 0.0
    extra: float = 0.0
    crowds: float = 0.0
    unlabelled_points: float = 0.0
    unlabelled_objects: float = 0.0
    twice: float = 0.0
    most_objects: int = 3
    images: int = 12
    equal_scores: bool = False


def draw(scene: Scene, seed: int) -> list[ImagePair]:
    random = np.random.default_rng(seed)
    classes = label_map(scene.classes)
    return [_image(scene, classes, number, random) for number in range(scene.images)]


def _image(scene: Scene, classes: LabelMap, number: int, random: np.random.Generator) -> ImagePair:
    truth: list[Instance] = []
    detections: list[Detection] = []
    for _ in range(int(random.integers(0, scene.most_objects + 1))):
        item = classes.items[int(random.integers(len(classes.items)))]
        instance = _object(scene, item, random)
        truth.append(instance)
        for _ in range(int(random.random() >= scene.missed) + int(random.random() < scene.twice)):
            detections.append(_detection(scene, item, instance, random))
    for _ in range(int(random.random() < scene.extra)):
        item = classes.items[int(random.integers(len(classes.items)))]
        detections.append(_detection(scene, item, _object(scene, item, random), random))
    random.shuffle(detections)  # type: ignore[arg-type]
    return ImagePair(f"{number}.jpg", tuple(truth), tuple(detections))


def _object(scene: Scene, item: LabelMapItem, random: np.random.Generator) -> Instance:
    width, height = random.uniform(12, 200, 2)
    x, y = random.uniform(0, 400, 2)
    bare = random.random() < scene.unlabelled_objects
    points = tuple(
        (x + width * across, y + height * down, 0 if bare or random.random() < scene.unlabelled_points else int(v))
        for across, down, v in zip(
            *random.uniform(0, 1, (2, len(item.keypoints))), random.integers(1, 3, 9), strict=False
        )
    )
    area = width * height * random.uniform(0.3, 0.9) if random.random() < 0.8 else 0.0
    crowd = bool(random.random() < scene.crowds)
    return Instance(1, 1, item.id, (x, y, width, height), area, points, iscrowd=crowd)


def _detection(scene: Scene, item: LabelMapItem, instance: Instance, random: np.random.Generator) -> Detection:
    assert instance.box_xywh_px is not None
    x, y, width, height = instance.box_xywh_px
    dx, dy, dw, dh = random.normal(0, scene.noise, 4)
    box = (x + dx * width, y + dy * height, width * np.exp(dw), height * np.exp(dh))
    points = tuple(
        (px + random.normal(0, scene.noise) * width, py + random.normal(0, scene.noise) * height, 0.9)
        for px, py, _ in instance.keypoints_xyv
    )
    score = 0.5 if scene.equal_scores else float(random.uniform(0.01, 1))
    return Detection(item.id, item.name, score, tuple(map(float, box)), points)  # type: ignore[arg-type]


def theirs(pairs: Sequence[ImagePair], classes: LabelMap, area: AreaSource) -> dict[str, float]:
    """What CocoDetectionEvaluator and one CocoKeypointEvaluator per class say, as `model_main_tf2` uses them."""
    compat.activate()
    from object_detection.metrics.coco_evaluation import CocoDetectionEvaluator, CocoKeypointEvaluator

    categories = [{"id": item.id, "name": item.name} for item in classes.items]
    evaluators = [CocoDetectionEvaluator(categories)]
    for item in classes.items:
        if item.keypoints:
            listed = [{"id": keypoint.id, "name": keypoint.label} for keypoint in item.keypoints]
            sigmas = {keypoint.label: SIGMAS[keypoint.id] for keypoint in item.keypoints}
            evaluators.append(CocoKeypointEvaluator(item.id, listed, item.name, sigmas))
    numbers: dict[str, float] = {}
    for evaluator in evaluators:
        for number, pair in enumerate(pairs):
            evaluator.add_single_ground_truth_image_info(number, _truth_arrays(pair, classes, area))
            evaluator.add_single_detected_image_info(number, _detection_arrays(pair, classes))
        numbers |= evaluator.evaluate()
    return numbers


def _truth_arrays(pair: ImagePair, classes: LabelMap, area: AreaSource) -> dict[str, Any]:
    slots = {item.id: [keypoint.id for keypoint in item.keypoints] for item in classes.items}
    points = np.zeros((len(pair.truth), classes.num_keypoints, 2))
    visible = np.zeros((len(pair.truth), classes.num_keypoints), np.int32)
    for row, instance in enumerate(pair.truth):
        for slot, (x, y, v) in zip(slots[instance.category_id], instance.keypoints_xyv, strict=True):
            points[row, slot], visible[row, slot] = (y, x), v
    return {
        "groundtruth_boxes": _boxes([instance.box_xywh_px for instance in pair.truth]),
        "groundtruth_classes": np.array([instance.category_id for instance in pair.truth], np.int64),
        "groundtruth_is_crowd": np.array([int(instance.iscrowd) for instance in pair.truth], np.int64),
        "groundtruth_area": np.array([area_of(instance, area) for instance in pair.truth]),
        "groundtruth_keypoints": points,
        "groundtruth_keypoint_visibilities": visible,
    }


def _detection_arrays(pair: ImagePair, classes: LabelMap) -> dict[str, Any]:
    slots = {item.id: [keypoint.id for keypoint in item.keypoints] for item in classes.items}
    points = np.zeros((len(pair.detections), classes.num_keypoints, 2))
    for row, detection in enumerate(pair.detections):
        for slot, (x, y, _) in zip(slots[detection.class_id], detection.keypoints_xys, strict=True):
            points[row, slot] = (y, x)
    return {
        "detection_boxes": _boxes([detection.box_xywh_px for detection in pair.detections]),
        "detection_scores": np.array([detection.score for detection in pair.detections]),
        "detection_classes": np.array([detection.class_id for detection in pair.detections], np.int64),
        "detection_keypoints": points,
    }


def _boxes(boxes: Sequence[Any]) -> np.ndarray[Any, Any]:
    """[N, 4] with y1, x1, y2, x2."""
    return np.array([(y, x, y + height, x + width) for x, y, width, height in boxes]).reshape(-1, 4)


def compare(ours: AveragePrecision | None, numbers: dict[str, float], prefix: str, suffix: str = "") -> None:
    """Each of our three numbers against theirs; -1 is their "nothing to find"."""
    assert ours is not None
    for value, name in ((ours.ap, "mAP"), (ours.ap50, "mAP@.50IOU"), (ours.ap75, "mAP@.75IOU")):
        expected = numbers[f"{prefix}_Precision/{name}{suffix}"]
        assert value == (None if expected == -1 else pytest.approx(expected, abs=TOLERANCE)), f"{prefix} {name}{suffix}"


NOISY = Scene(noise=0.06, missed=0.2, extra=0.4, twice=0.2, unlabelled_points=0.2)
EVERYTHING = replace(NOISY, classes=("plier", "bolt", "cup"), crowds=0.15, unlabelled_objects=0.2, most_objects=5)
SCENES = {
    "perfect": Scene(),
    "noisy": NOISY,
    "very noisy": replace(NOISY, noise=0.25),
    "nothing found": Scene(missed=1.0),
    "nothing but false detections": Scene(missed=1.0, extra=1.0),
    "several classes": replace(NOISY, classes=("plier", "cup", "bolt")),
    "crowds": replace(NOISY, crowds=0.4),
    "points and objects without labels": replace(NOISY, unlabelled_points=0.6, unlabelled_objects=0.4),
    "more objects than COCO looks at": replace(NOISY, most_objects=40, images=3),
    "equal scores": replace(NOISY, equal_scores=True),
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
@pytest.mark.parametrize("area", ["bbox", "segm"])
def test_the_same_numbers(scene: Scene, area: AreaSource, capsys: pytest.CaptureFixture[str]) -> None:
    classes = label_map(scene.classes)
    sigmas = SIGMAS[: classes.num_keypoints]
    for seed in (1, 2, 3):
        pairs = draw(scene, seed)
        assert any(pair.truth for pair in pairs)
        numbers = theirs(pairs, classes, area)
        ours = evaluate(pairs, ModelMetadata(classes), sigmas=sigmas, area=area)
        compare(ours.box, numbers, "DetectionBoxes")
        for part in ours.classes:
            if part.keypoints:
                compare(part.oks, numbers, "Keypoints", f" ByCategory/{part.name}")
    capsys.readouterr()


def test_the_scenes_tell_good_from_bad() -> None:
    """The numbers that agree are not all 0 or 1."""
    values = []
    for scene in (NOISY, replace(NOISY, noise=0.1), EVERYTHING):
        classes = label_map(scene.classes)
        result = evaluate(draw(scene, 1), ModelMetadata(classes), sigmas=SIGMAS[: classes.num_keypoints])
        values += [result.box.ap, result.oks.ap]
    assert len({round(value or 0.0, 2) for value in values}) == len(values)
    assert all(value is not None and 0.0 < value < 1.0 for value in values)


def test_a_difference_would_be_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    classes = label_map(("plier",))
    pairs = draw(NOISY, 1)
    numbers = theirs(pairs, classes, "bbox")
    other = evaluate(pairs, ModelMetadata(classes), sigmas=tuple(1.02 * sigma for sigma in SIGMAS[:5]))
    with pytest.raises(AssertionError, match="Keypoints mAP"):
        compare(other.classes[0].oks, numbers, "Keypoints", " ByCategory/plier")
    capsys.readouterr()
