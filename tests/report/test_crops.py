from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kpt_tools.entities import Instance, KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.report.crops import jpeg, mirrored, moved, named_picture, object_picture, whole_picture
from kpt_tools.report.draw import point_colour

METADATA = ModelMetadata(LabelMap((LabelMapItem(1, "m", (KeypointLabel(0, "l", "l"), KeypointLabel(1, "r", "r"))),)))
OBJECT = Instance(1, 1, 1, (40.0, 20.0, 20.0, 40.0), keypoints_xyv=((45.0, 30.0, 2), (55.0, 50.0, 1)))


def plain(width: int = 200, height: int = 100) -> Image.Image:
    return Image.new("RGB", (width, height), (0, 0, 255))


def grey_share(picture: Image.Image) -> float:
    pixels = np.asarray(picture).astype(int)
    return float((np.abs(pixels - (128, 132, 140)).max(axis=2) < 6).mean())


def test_object_fills_its_picture() -> None:
    picture = object_picture(plain(), OBJECT, METADATA, 200)
    assert max(picture.size) == 200
    assert picture.width < picture.height
    assert grey_share(picture) == 0.0


def test_ground_outside_the_image_is_grey() -> None:
    outside = Instance(1, 1, 1, (150.0, 20.0, 90.0, 40.0))
    assert 0.2 < grey_share(object_picture(plain(), outside, METADATA, 200)) < 0.6


@pytest.mark.parametrize("box", [(1e8, 1e8, 5.0, 5.0), (-900.0, 0.0, 2000.0, 3.0), (10.0, 10.0, 0.1, 0.1)])
def test_absurd_boxes_give_a_picture(box: tuple[float, float, float, float]) -> None:
    assert max(object_picture(plain(), Instance(1, 1, 1, box), METADATA, 120).size) == 120


def test_whole_picture_has_the_size_asked_for() -> None:
    assert whole_picture(plain(), [OBJECT], METADATA, 100).size == (100, 50)
    assert whole_picture(plain(20, 10), [], METADATA, 100).size == (100, 50)


def test_mirror_exchanges_pairs() -> None:
    picture = plain()
    picture.putpixel((0, 0), (255, 0, 0))
    flipped, instance = mirrored(picture, OBJECT, [(0, 1)])
    assert flipped.getpixel((199, 0)) == (255, 0, 0)
    assert instance.keypoints_xyv == ((145.0, 50.0, 1), (155.0, 30.0, 2))
    assert instance.box_xywh_px == (140.0, 20.0, 20.0, 40.0)
    assert mirrored(flipped, instance, [(0, 1)])[1] == OBJECT


def test_moved() -> None:
    there = moved(OBJECT, 40.0, 20.0, 2.0)
    assert there.box_xywh_px == (0.0, 0.0, 40.0, 80.0)
    assert there.keypoints_xyv == ((10.0, 20.0, 2), (30.0, 60.0, 1))


def test_names_change_the_picture_beside_the_points() -> None:
    bare = object_picture(plain(), OBJECT, METADATA, 200)
    named = named_picture(plain(), OBJECT, METADATA, {1: "right"}, 200)
    assert named.tobytes() != bare.tobytes()


def test_jpeg() -> None:
    assert jpeg(plain()).startswith(b"\xff\xd8\xff")


def test_names_of_points_side_by_side_do_not_cover_each_other() -> None:
    """Both names are written in the colour of their point; a covered one would miss letters."""
    pair = Instance(1, 1, 1, None, keypoints_xyv=((50.0, 50.0, 2), (52.0, 51.0, 2)))
    both = np.asarray(named_picture(plain(), pair, METADATA, {0: "left_ear", 1: "right_ear"}, 400)).astype(int)
    for slot, name in enumerate(("left_ear", "right_ear")):
        alone = np.asarray(named_picture(plain(), pair, METADATA, {slot: name}, 400)).astype(int)
        colour = np.array(point_colour(slot))
        letters = [(np.abs(picture - colour).max(axis=2) < 8).sum() for picture in (alone, both)]
        assert letters[0] > 100
        assert letters[1] == letters[0]
