"""What a network is shown, and the way back to the picture."""

import numpy as np
import pytest

from kpt_tools.heatmap.views import points_region, points_view, region_view, whole_region, whole_view
from tests.heatmap_factories import spec

IMAGE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
POINTS = np.array([[50.0, 40.0], [70.0, 42.0], [60.0, 55.0]])


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(whole_view(spec(), IMAGE, None), id="whole picture"),
        pytest.param(whole_view(spec(), IMAGE, (30.0, 20.0, 60.0, 50.0)), id="box"),
        pytest.param(points_view(spec(region="points"), IMAGE, POINTS), id="points"),
        pytest.param(points_view(spec(region="both"), IMAGE, POINTS, 2.0), id="points, wide"),
        pytest.param(points_view(spec(region="document"), IMAGE, POINTS), id="document"),
    ],
)
def test_views_have_the_input_s_size_and_lead_back(view) -> None:
    assert view.image.shape == (64, 64, 3)
    assert view.image.dtype == np.uint8
    seen = POINTS @ view.matrix[:, :2].T + view.matrix[:, 2]
    assert view.to_picture(seen) == pytest.approx(POINTS)
    assert ((seen > 0) & (seen < 64)).all()


@pytest.mark.parametrize(("corner", "seen"), [((0, 0), (0, 8)), ((120, 90), (64, 56))], ids=["first", "last"])
def test_the_picture_s_corners_lie_on_the_view_s_border(corner, seen) -> None:
    assert whole_view(spec(), IMAGE, None).to_picture(np.array([seen], float))[0] == pytest.approx(corner)


def test_a_box_gets_its_margin_and_points_theirs() -> None:
    assert whole_region(spec(box_margin=0.5), (120, 90), (40.0, 30.0, 20.0, 10.0)) == (30, 15, 40, 40)
    assert points_region(spec(points_margin=1.0), (120, 90), POINTS) == pytest.approx((30, 17.5, 60, 60))
    assert points_region(spec(points_margin=1.0), (120, 90), POINTS, 2.0) == pytest.approx((0, -12.5, 120, 120))


def test_points_on_one_spot_still_make_a_crop() -> None:
    region = points_region(spec(), (1000, 500), np.array([[100.0, 100.0]] * 3))
    assert region == pytest.approx((85, 85, 30, 30))


def test_without_a_point_there_is_no_crop() -> None:
    unknown = np.full((3, 2), np.nan)
    assert points_region(spec(), (120, 90), unknown) is None
    assert points_view(spec(region="points"), IMAGE, unknown) is None


def test_outside_the_picture_it_is_black() -> None:
    view = region_view(IMAGE, (-120.0, 0.0, 120.0, 120.0), 64)
    assert view.image.max() == 0
