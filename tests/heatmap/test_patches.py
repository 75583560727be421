"""What is cut out of a picture and stored."""

import numpy as np
import pytest

from kpt_tools.heatmap.geometry import apply
from kpt_tools.heatmap.patches import Cut, cut_of, is_whole, known_points, patch_image


@pytest.mark.parametrize(
    ("box", "patch_px", "expected"),
    [
        pytest.param(None, 384, Cut(0, 0, 200, 100, 1.0), id="whole picture"),
        pytest.param(None, 50, Cut(0, 0, 200, 100, 0.25), id="whole picture, made smaller"),
        pytest.param((80.0, 40.0, 20.0, 10.0), 384, Cut(70, 30, 40, 30, 1.0), id="box with context"),
        pytest.param((0.0, 90.0, 40.0, 10.0), 384, Cut(0, 70, 60, 30, 1.0), id="box at a corner"),
        pytest.param((80.2, 40.7, 20.0, 10.0), 20, Cut(70, 30, 41, 31, 20 / 41), id="box between pixels"),
    ],
)
def test_cuts(box, patch_px: int, expected: Cut) -> None:
    assert cut_of((200, 100), box, patch_px) == expected


def test_only_an_untouched_picture_is_whole() -> None:
    assert is_whole(Cut(0, 0, 200, 100, 1.0), (200, 100))
    assert not is_whole(Cut(0, 0, 200, 100, 0.5), (200, 100))
    assert not is_whole(Cut(1, 0, 199, 100, 1.0), (200, 100))


@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_corners_of_a_patch_lead_to_corners_of_the_cut(scale: float) -> None:
    cut = Cut(30, 20, 101, 67, scale)
    image = patch_image(np.zeros((100, 200, 3), np.uint8), cut)
    width, height = cut.size_wh
    assert image.shape == (height, width, 3)
    corners = apply(cut.to_picture, np.array([[0, 0], [width, height]], float))
    assert corners == pytest.approx(np.array([[30, 20], [131, 87]]))


def test_points_without_a_label_are_unknown() -> None:
    points = known_points(((1.0, 2.0, 2), (0.0, 0.0, 0), (5.0, 6.0, 1)), 3)
    assert points.tolist()[::2] == [[1, 2], [5, 6]]
    assert np.isnan(points[1]).all()
    assert np.isnan(known_points((), 2)).all()
