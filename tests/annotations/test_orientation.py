from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from kpt_tools.annotations.orientation import upright_instance, upright_point, upright_size
from kpt_tools.entities import Instance

WIDTH, HEIGHT = 7, 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_go_where_pillow_puts_the_pixel(orientation: int) -> None:
    for column, row in ((0, 0), (6, 0), (2, 3), (6, 3)):
        raw = np.zeros((HEIGHT, WIDTH), np.uint8)
        raw[row, column] = 255
        image = Image.fromarray(raw)
        image.getexif()[0x0112] = orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
        ((y, x),) = np.argwhere(upright == 255)
        moved = upright_point(column + 0.5, row + 0.5, orientation, WIDTH, HEIGHT)
        assert moved == (x + 0.5, y + 0.5)
        assert upright_size(orientation, WIDTH, HEIGHT) == upright.shape[::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_points_and_polygons_move_together(orientation: int) -> None:
    given = Instance(1, 1, 1, (1.0, 1.0, 4.0, 2.0), 8.0, ((1.0, 1.0, 2), (5.0, 3.0, 1), (0.0, 0.0, 0)), False,
                     ((1.0, 1.0, 5.0, 1.0, 5.0, 3.0),))  # fmt: skip
    moved = upright_instance(given, orientation, WIDTH, HEIGHT)
    assert moved.box_xywh_px is not None
    x, y, w, h = moved.box_xywh_px
    xs, ys = zip(*[(px, py) for px, py, v in moved.keypoints_xyv if v], strict=True)
    assert (min(xs), min(ys), max(xs), max(ys)) == (x, y, x + w, y + h)
    assert (min(moved.segmentation[0][::2]), max(moved.segmentation[0][1::2])) == (x, y + h)
    assert moved.keypoints_xyv[2] == (0.0, 0.0, 0)
