"""The document's steps, each by itself and all together."""

import numpy as np
import pytest

from kpt_tools.heatmap.document import (
    FRAME_PX,
    MARGIN_PX,
    crop_box,
    crop_like_document,
    cut,
    draw_heatmaps,
    resize_square,
    resize_with_borders,
    scaled,
)
from kpt_tools.heatmap.geometry import apply


@pytest.mark.parametrize(
    ("size_wh", "inside"),
    [
        pytest.param((384, 256), (0, 21, 128, 106), id="landscape"),
        pytest.param((200, 400), (32, 0, 96, 128), id="portrait"),
        pytest.param((64, 64), (0, 0, 128, 128), id="small, enlarged"),
    ],
)
def test_resizing_keeps_the_aspect_and_borders_are_black(size_wh, inside) -> None:
    image = np.full((size_wh[1], size_wh[0], 3), 200, np.uint8)
    square, onto = resize_with_borders(image)
    left, top, right, bottom = inside
    assert square.shape == (128, 128, 3)
    assert square[top:bottom, left:right].min() == 200
    assert square.astype(int).sum() == 200 * 3 * (right - left) * (bottom - top)
    corners = apply(onto, np.array([[0, 0], size_wh], float))
    assert corners == pytest.approx(np.array([[left, top], [right, bottom]]))


@pytest.mark.parametrize("kind", ["gaussian", "circle"])
def test_heatmaps_have_their_peaks_on_the_points(kind: str) -> None:
    points = np.array([[30.5, 40.5], [90.5, 40.5], [60.5, 80.5]])
    maps = draw_heatmaps(points, FRAME_PX, kind)
    assert maps.shape == (128, 128, 3)
    assert 127 < maps.max() <= 255
    for index, point in enumerate(points):
        ys, xs = np.indices((128, 128)) + 0.5
        mass = maps[..., index]
        assert ((xs * mass).sum() / mass.sum(), (ys * mass).sum() / mass.sum()) == pytest.approx(point, abs=0.02)


def test_other_kinds_of_heatmaps_are_refused() -> None:
    with pytest.raises(ValueError, match="heatmap kind 'square'; expected gaussian or circle"):
        draw_heatmaps(np.zeros((1, 2)), 128, "square")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([(50, 60), (80, 62), (64, 90)], (30, 40, 100, 110), id="inside"),
        pytest.param([(5, 60), (80, 62)], (0, 40, 100, 82), id="clipped on the left"),
        pytest.param([(50, 3), (80, 62)], (30, 0, 100, 82), id="clipped above"),
        pytest.param([(50, 60), (120, 62)], (30, 40, 128, 82), id="clipped on the right"),
        pytest.param([(50, 60), (80, 125)], (30, 40, 100, 128), id="clipped below"),
        pytest.param([(50.4, 60.6)], (30, 40, 71, 81), id="one point between pixels"),
        pytest.param([(np.nan, np.nan)], (0, 0, 128, 128), id="no point"),
        pytest.param([(-300, -300)], (0, 0, 128, 128), id="wholly outside"),
    ],
)
def test_the_crop_is_the_box_of_the_points_plus_20_px(points, expected) -> None:
    assert MARGIN_PX == 20
    assert crop_box(np.array(points, float)) == expected


def test_cutting_and_stretching_and_scaling() -> None:
    array = np.arange(128 * 128 * 2, dtype=np.float32).reshape(128, 128, 2)
    part = cut(array, (10, 20, 40, 80))
    assert part.shape == (60, 30, 2)
    assert part[0, 0, 0] == array[20, 10, 0]
    assert resize_square(part).shape == (64, 64, 2)
    assert resize_square(part[..., :1]).shape == (64, 64, 1)
    assert scaled(np.array([0, 51, 255], np.uint8)).tolist() == pytest.approx([0, 0.2, 1])


@pytest.mark.parametrize("kind", ["gaussian", "circle"])
def test_the_map_of_the_crop_leads_to_the_peaks_of_its_heatmaps(kind: str) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (300, 384, 3), dtype=np.uint8)
    points = np.array([[140.0, 120.0], [210.0, 126.0], [170.0, 180.0]])
    crop = crop_like_document(image, points, points, kind)
    assert crop.heatmaps is not None
    assert (crop.image.shape, crop.heatmaps.shape) == ((64, 64, 3), (64, 64, 3))
    assert 0.5 < crop.heatmaps.max() <= 1
    ys, xs = np.indices((64, 64)) + 0.5
    for index, point in enumerate(apply(crop.matrix, points)):
        mass = crop.heatmaps[..., index]
        found = (xs * mass).sum() / mass.sum(), (ys * mass).sum() / mass.sum()
        assert found == pytest.approx(point, abs=1.0)  # the circle lies on a whole pixel of 128


def test_without_points_there_are_no_heatmaps() -> None:
    assert crop_like_document(np.zeros((20, 20, 3), np.uint8), np.array([[5.0, 5.0]])).heatmaps is None
