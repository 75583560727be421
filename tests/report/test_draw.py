from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageChops

from kpt_tools.entities import Detection, Instance, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata, Prediction
from kpt_tools.report.draw import class_colour, draw_instances, draw_prediction, point_colour, resized

GREY = (128, 128, 128)


def metadata() -> ModelMetadata:
    mouse = LabelMapItem(1, "mouse", (KeypointLabel(0, "nose", "nose"), KeypointLabel(1, "tail", "tail")))
    cup = LabelMapItem(2, "cup", (KeypointLabel(2, "rim", "rim"),))
    return ModelMetadata(LabelMap((mouse, cup)), skeleton=((0, 1),))


def mouse(scale: float = 1.0, tail_score: float = 0.9) -> Prediction:
    points = ((120 * scale, 150 * scale, 0.9), (240 * scale, 150 * scale, tail_score))
    found = Detection(1, "mouse", 0.87, (100 * scale, 100 * scale, 160 * scale, 100 * scale), points)
    return Prediction("a.jpg", round(320 * scale), round(240 * scale), (found,))


def blank(scale: float = 1.0) -> Image.Image:
    return Image.new("RGB", (round(320 * scale), round(240 * scale)), GREY)


def near(picture: Image.Image, xy: tuple[float, float], colour: tuple[int, int, int]) -> bool:
    pixel = np.asarray(picture)[round(xy[1]), round(xy[0])].astype(int)
    return bool(np.abs(pixel - colour).max() < 30)


@pytest.mark.parametrize("scale", [1.0, 3.0, 12.5], ids=["320 px", "960 px", "4000 px"])
def test_everything_is_where_it_belongs(scale: float) -> None:
    picture = draw_prediction(blank(scale), mouse(scale), metadata())
    assert picture.size == blank(scale).size
    assert near(picture, (120 * scale, 150 * scale), point_colour(0))
    assert near(picture, (240 * scale, 150 * scale), point_colour(1))
    assert near(picture, (150 * scale, 150 * scale), point_colour(0)), "first half of the edge"
    assert near(picture, (210 * scale, 150 * scale), point_colour(1)), "second half of the edge"
    assert near(picture, (180 * scale, 200 * scale), class_colour(1)), "lower side of the box"
    assert near(picture, (180 * scale, 180 * scale), GREY), "inside of the box"


def test_the_number_of_a_tracked_object_is_in_its_caption() -> None:
    (found,) = mouse().detections
    pictures = [
        draw_prediction(blank(), Prediction("a", 320, 240, (replace(found, track_id=number),)), metadata())
        for number in (None, 7, 8)
    ]
    boxes = [ImageChops.difference(pictures[0], other).getbbox() for other in pictures[1:]]
    assert all(box is not None and box[3] <= 101 and box[0] >= 100 for box in boxes), "only the plate above the box"
    assert ImageChops.difference(pictures[1], pictures[2]).getbbox() is not None


def test_input_is_left_alone() -> None:
    before = blank()
    draw_prediction(before, mouse(), metadata())
    assert ImageChops.difference(before, blank()).getbbox() is None


def test_weak_points_and_their_edges_are_not_drawn() -> None:
    picture = draw_prediction(blank(), mouse(tail_score=0.05), metadata(), min_keypoint_score=0.1)
    assert near(picture, (120, 150), point_colour(0))
    assert near(picture, (240, 150), GREY)
    assert near(picture, (180, 150), GREY)


def test_nothing_found_leaves_the_picture() -> None:
    picture = draw_prediction(blank(), Prediction("a", 320, 240), metadata())
    assert ImageChops.difference(picture, blank()).getbbox() is None


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_any_mode(mode: str) -> None:
    assert draw_prediction(blank().convert(mode), mouse(), metadata()).mode == "RGB"


@pytest.mark.parametrize(
    ("box", "rows"),
    [
        pytest.param((60, 60, 100, 100), (40, 57), id="above"),
        pytest.param((60, 2, 100, 100), (105, 119), id="below: no room above"),
        pytest.param((60, 2, 100, 236), (5, 14), id="inside: no room at all"),
        pytest.param((290, 60, 28, 100), (40, 57), id="moved to the left"),
        pytest.param((-20, 60, 28, 100), (40, 57), id="moved to the right"),
    ],
)
def test_place_of_the_name(box: tuple[int, int, int, int], rows: tuple[int, int]) -> None:
    found = Detection(2, "a long name", 0.5, box, ((-9, -9, 0.0),))
    picture = draw_prediction(blank(), Prediction("a", 320, 240, (found,)), metadata())
    part = np.asarray(picture)[slice(*rows)].astype(int)
    plate = np.flatnonzero((np.abs(part - class_colour(2)).max(axis=2) < 60).sum(axis=0) > 4)
    assert plate.size > 20
    assert plate.max() - plate.min() > 75, "the whole name is to be seen"


def test_annotated_objects_show_hidden_points_as_rings() -> None:
    truth = Instance(1, 1, 1, (100, 100, 160, 100), keypoints_xyv=((120, 150, 2), (240, 150, 1)))
    picture = draw_instances(blank(), [truth], metadata())
    assert near(picture, (120, 150), point_colour(0))
    assert not near(picture, (240, 150), point_colour(1))
    assert not near(picture, (240, 150), GREY)


def test_annotated_object_without_points_or_box() -> None:
    unlabelled = Instance(1, 1, 1, (100, 100, 160, 100), keypoints_xyv=((0, 0, 0), (240, 150, 2)))
    picture = draw_instances(blank(), [unlabelled, Instance(2, 1, 2, None)], metadata())
    assert near(picture, (0, 0), GREY)
    assert near(picture, (240, 150), point_colour(1))


def test_resized_for_a_thumbnail() -> None:
    small = resized(mouse(), (160, 60))
    assert (small.width, small.height) == (160, 60)
    assert small.detections[0].box_xywh_px == (50, 25, 80, 25)
    assert small.detections[0].keypoints_xys[0] == (60, 37.5, 0.9)
    assert resized(small, (320, 240)) == mouse()


def test_colours_do_not_run_out() -> None:
    assert len({point_colour(slot) for slot in range(12)}) == 12
    assert point_colour(12) == point_colour(0)
    assert class_colour(9) == class_colour(1)


def test_objects_far_apart_are_drawn_as_if_alone() -> None:
    """The picture is drawn on in parts; what they show does not depend on what is drawn elsewhere."""
    ground = Image.new("RGB", (600, 400), (90, 90, 90))
    boxes = [(20.0, 60.0, 80.0, 60.0), (400.0, 250.0, 120.0, 90.0)]
    points = [((x, y, 0.9), (x + 9, y + 30, 0.9)) for x, y, _, _ in boxes]
    each = [Detection(1, "mouse", 0.9, box, own) for box, own in zip(boxes, points, strict=True)]
    model = metadata()
    together = np.asarray(draw_prediction(ground, Prediction("a", 600, 400, tuple(each)), model))
    for own, other in ((each[0], each[1]), (each[1], each[0])):
        alone = np.asarray(draw_prediction(ground, Prediction("a", 600, 400, (own,)), model))
        x, y, width, height = (round(value) for value in other.box_xywh_px)
        elsewhere = np.ones((400, 600), bool)
        elsewhere[y - 30 : y + height + 10, x - 10 : x + width + 10] = False
        assert np.array_equal(alone[elsewhere], together[elsewhere])
        assert not np.array_equal(alone, together)
