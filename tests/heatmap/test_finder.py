"""Looks at a picture, with an engine that really finds the coloured spots."""

import numpy as np
import pytest

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.finder import PointFinder, detection_of, parts_of
from kpt_tools.heatmap.spec import HeatmapSpec
from kpt_tools.heatmap.targets import gaussian_heatmaps
from tests.heatmap_factories import COLOURS, draw_cat, nine_points, spec

NAMES = ("left_eye", "right_eye", "mouth")


def metadata(names: tuple[str, ...] = NAMES) -> ModelMetadata:
    points = tuple(KeypointLabel(k, name, name) for k, name in enumerate(names))
    return ModelMetadata(LabelMap((LabelMapItem(1, "cat", points),)), flip_pairs=((0, 1),))


class SpotEngine:
    """Draws bells where the colours are; counts its looks."""

    def __init__(self, own: HeatmapSpec, names: tuple[str, ...] = NAMES) -> None:
        self.spec, self.metadata, self.looks = own, metadata(names), 0

    def run(self, images):
        self.looks += 1
        size = self.spec.input_px
        maps = []
        for image in images:
            points = []
            for colour in COLOURS:
                near = np.abs(image.astype(int) - colour).sum(axis=2) < 90
                ys, xs = np.nonzero(near)
                points.append((xs.mean() + 0.5, ys.mean() + 0.5) if xs.size else (size / 2, size / 2))
            maps.append(gaussian_heatmaps(np.array(points) / 4, (size // 4, size // 4), 1.5))
        return {"heatmaps": np.stack(maps)}


def picture(seed: int = 2, size: tuple[int, int] = (160, 120)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = nine_points(rng, *size)
    return np.asarray(draw_cat(rng, points, *size)), np.array(points[:3], float)


@pytest.mark.parametrize(
    ("region", "looks", "tolerance"),
    [("whole", 1, 2.5), ("both", 3, 1.3)],
    ids=["whole looks once", "both looks three times"],
)
def test_points_come_back_in_pixels_of_the_picture(region: str, looks: int, tolerance: float) -> None:
    image, truth = picture()
    engine = SpotEngine(spec(region=region))
    found = PointFinder(engine).find(image)
    assert engine.looks == looks
    assert found.points == pytest.approx(truth, abs=tolerance)
    assert found.scores.min() > 0.8


@pytest.mark.parametrize("region", ["points", "document"])
def test_a_model_of_crops_starts_from_another_one_or_from_points(region: str) -> None:
    image, truth = picture()
    engine, first = SpotEngine(spec(region=region)), SpotEngine(spec())
    assert PointFinder(engine, first).find(image).points == pytest.approx(truth, abs=1.5)
    assert (engine.looks, first.looks) == (1, 1)
    assert PointFinder(engine).find(image, points=truth + 3).points == pytest.approx(truth, abs=1.5)


def test_a_model_of_crops_alone_cannot_start() -> None:
    finder = PointFinder(SpotEngine(spec(region="points")))
    assert not finder.can_start
    with pytest.raises(ConfigError, match="a model of region 'points' is shown crops around points"):
        finder.find(picture()[0])


def test_a_box_narrows_the_first_look() -> None:
    image, truth = picture()
    x, y = truth.min(axis=0)
    found = PointFinder(SpotEngine(spec(whole="box"))).find(image, box=(x - 20, y - 20, 70.0, 70.0))
    assert found.points == pytest.approx(truth, abs=1.3)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        pytest.param(SpotEngine(spec(), ("a", "b", "c")), "--first: its keypoints are a, b, c", id="other keypoints"),
        pytest.param(SpotEngine(spec(region="points")), "has to be told where to look itself", id="crops"),
    ],
)
def test_first_models_that_cannot_help_are_refused(first, message) -> None:
    with pytest.raises(ConfigError, match=message):
        PointFinder(SpotEngine(spec(region="points")), first)


def test_unknown_points_are_no_start() -> None:
    with pytest.raises(ConfigError, match="none of the points given is known"):
        PointFinder(SpotEngine(spec(region="points"))).find(picture()[0], points=np.full((3, 2), np.nan))


class ShortSighted(SpotEngine):
    """Sees spots only where their extent is at least a share of the view; else it answers the middle, unsure."""

    def run(self, images):
        raw = super().run(images)
        for image, maps in zip(images, raw["heatmaps"], strict=True):
            near = np.any([np.abs(image.astype(int) - colour).sum(axis=2) < 90 for colour in COLOURS], axis=0)
            xs = np.nonzero(near)[1]
            if not xs.size or np.ptp(xs) < 0.12 * self.spec.input_px:
                maps[:] = 0.4 * gaussian_heatmaps(np.full((3, 2), maps.shape[0] / 2), maps.shape[:2], 1.5)
        return raw


def small_cat() -> tuple[np.ndarray, np.ndarray]:
    """A cat of 90 x 90 px low in the right corner of a picture of 320 x 240."""
    image, truth = picture(size=(90, 90))
    whole = np.zeros((240, 320, 3), np.uint8)
    whole[150:240, 230:320] = image
    return whole, truth + np.array([230, 150])


def test_where_it_is_not_sure_it_looks_into_parts() -> None:
    image, truth = small_cat()
    engine = ShortSighted(spec())
    found = PointFinder(engine).find(image)
    assert engine.looks == 6
    assert found.points == pytest.approx(truth, abs=6)
    assert found.view.to_picture(np.array([[0.0, 0.0]])) == pytest.approx(np.array([[128.0, 48.0]]))


def test_where_nothing_better_is_in_the_parts_the_first_answer_stays() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    engine = ShortSighted(spec())
    found = PointFinder(engine).find(image)
    assert engine.looks == 6
    assert found.points == pytest.approx(np.full((3, 2), (160, 120)), abs=4)


@pytest.mark.parametrize(
    ("settings", "box"),
    [
        pytest.param({"look_again": False}, None, id="told not to"),
        pytest.param({}, (220.0, 140.0, 100.0, 100.0), id="a box was given"),
    ],
)
def test_it_looks_once_where_it_is_told_where_or_not_to_look_again(settings, box) -> None:
    engine = ShortSighted(spec(whole="box"))
    PointFinder(engine, **settings).find(small_cat()[0], box)
    assert engine.looks == 1


@pytest.mark.parametrize("size", [(384, 288), (288, 384), (200, 200), (400, 3), (1, 1)], ids=str)
def test_parts_cover_the_picture_and_nothing_else(size: tuple[int, int]) -> None:
    seen = np.zeros((size[1], size[0]), bool)
    for x, y, width, height in parts_of(size):
        assert 0 <= x <= x + width <= size[0]
        assert 0 <= y <= y + height <= size[1]
        seen[y : y + height, x : x + width] = True
    assert seen.all()


def test_another_decoding_of_the_same_look() -> None:
    image, truth = picture()
    finder = PointFinder(SpotEngine(spec()))
    found = finder.find(image)
    again = finder.decoded(found.view, found.raw, "argmax")
    assert again.points == pytest.approx(truth, abs=8)
    assert not np.allclose(again.points, found.points)


@pytest.mark.parametrize("box", [None, (1.0, 2.0, 30.0, 40.0)], ids=["from points", "given"])
def test_a_detection_has_the_given_box_or_one_around_its_points(box) -> None:
    image, truth = picture()
    found = PointFinder(SpotEngine(spec())).find(image)
    detection = detection_of(found, metadata(), (160, 120), box)
    assert (detection.class_id, detection.class_name, len(detection.keypoints_xys)) == (1, "cat", 3)
    assert detection.score == pytest.approx(float(found.scores.mean()))
    if box:
        assert detection.box_xywh_px == box
    else:
        x, y, w, h = detection.box_xywh_px
        assert (x, y) < tuple(truth.min(axis=0))
        assert (truth < (x + w, y + h)).all()
