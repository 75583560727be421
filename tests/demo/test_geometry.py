import math
from dataclasses import replace

import numpy as np
import pytest

from kpt_tools.demo.geometry import (
    FLIP_PAIRS,
    KEYPOINTS,
    LEFT,
    RIGHT,
    SKELETON_1BASED,
    PliersShape,
    Pose,
    bezier,
    half_outlines,
    keypoints_own,
    rotation,
    rounded,
    silhouette_own,
    tube,
)

MIRROR = np.array([-1.0, 1.0])


def shape_of(**changes: object) -> PliersShape:
    shape = PliersShape(
        jaw_length=0.3,
        jaw_width=0.085,
        tip_width=0.045,
        handle_length=0.7,
        bow=0.09,
        end_spread=0.07,
        grip_radius=0.042,
        opening_rad=math.radians(20.0),
    )
    return replace(shape, **changes)


def swapped(points: np.ndarray) -> np.ndarray:
    order = list(range(len(KEYPOINTS)))
    for a, b in FLIP_PAIRS:
        order[a], order[b] = order[b], order[a]
    return points[order]


def side_of_axis(keypoints: np.ndarray, right: int, left: int) -> float:
    """Positive where `right` is to the right of `left` for somebody who looks from the handles to the jaws."""
    axis = keypoints[2] - (keypoints[0] + keypoints[1]) / 2
    across = keypoints[right] - keypoints[left]
    return float(axis[0] * across[1] - axis[1] * across[0])


def contains(outline: np.ndarray, point: np.ndarray) -> bool:
    following = np.roll(outline, -1, axis=0)
    crosses = (outline[:, 1] > point[1]) != (following[:, 1] > point[1])
    edges = np.where(crosses)[0]
    t = (point[1] - outline[edges, 1]) / (following[edges, 1] - outline[edges, 1])
    return bool(np.count_nonzero(outline[edges, 0] + t * (following[edges, 0] - outline[edges, 0]) > point[0]) % 2)


def test_names_skeleton_and_pairs_agree() -> None:
    assert KEYPOINTS == ("right_handle", "left_handle", "middle", "right_head", "left_head")
    assert [(KEYPOINTS[a - 1], KEYPOINTS[b - 1]) for a, b in SKELETON_1BASED] == [
        ("right_handle", "middle"),
        ("left_handle", "middle"),
        ("middle", "right_head"),
        ("middle", "left_head"),
    ]
    assert [(KEYPOINTS[a], KEYPOINTS[b]) for a, b in FLIP_PAIRS] == [
        ("right_handle", "left_handle"),
        ("right_head", "left_head"),
    ]


@pytest.mark.parametrize("opening_deg", [0.0, 10.0, 45.0])
def test_jaws_up_puts_right_points_at_greater_x(opening_deg: float) -> None:
    right_handle, left_handle, middle, right_head, left_head = keypoints_own(
        shape_of(opening_rad=math.radians(opening_deg))
    )
    assert right_handle[0] > middle[0] > left_handle[0]
    assert right_head[0] > middle[0] > left_head[0]
    assert right_handle[1] > 0.5
    assert right_head[1] < -0.2


def test_opening_spreads_handles_and_jaws() -> None:
    closed, opened = (keypoints_own(shape_of(opening_rad=math.radians(angle))) for angle in (5.0, 40.0))
    for right, left in FLIP_PAIRS:
        assert opened[right][0] - opened[left][0] > 2 * (closed[right][0] - closed[left][0]) * 0.9


@pytest.mark.parametrize("angle_deg", [0, 37, 90, 180, 201, 300])
@pytest.mark.parametrize("squeeze", [0.0, 0.3])
def test_right_stays_right_at_every_rotation(angle_deg: int, squeeze: float) -> None:
    pose = Pose((100.0, 80.0), 90.0, math.radians(angle_deg), squeeze, 0.7)
    keypoints = pose.to_picture(keypoints_own(shape_of()))
    assert side_of_axis(keypoints, 0, 1) > 0
    assert side_of_axis(keypoints, 3, 4) > 0


@pytest.mark.parametrize("top", [RIGHT, LEFT], ids=["right-on-top", "left-on-top"])
def test_a_mirrored_tool_is_the_turned_over_tool_with_right_and_left_exchanged(top: int) -> None:
    tool = shape_of(top=top)
    turned_over = replace(tool, top=-top)
    np.testing.assert_allclose(keypoints_own(turned_over), swapped(keypoints_own(tool) * MIRROR), atol=1e-12)
    for layer in (1, -1):
        lies_here, mirrored = half_outlines(turned_over, layer * turned_over.top), half_outlines(tool, layer * tool.top)
        np.testing.assert_allclose(lies_here.grip, mirrored.grip * MIRROR, atol=1e-12)
        np.testing.assert_allclose(lies_here.jaw, mirrored.jaw * MIRROR, atol=1e-12)


def test_a_mirrored_picture_is_a_tool_at_the_opposite_angle() -> None:
    tool = shape_of()
    drawn = Pose((120.0, 90.0), 80.0, 0.6).to_picture(keypoints_own(tool))
    mirrored = Pose((320.0 - 120.0, 90.0), 80.0, -0.6).to_picture(keypoints_own(tool))
    np.testing.assert_allclose(mirrored, swapped(drawn * MIRROR + (320.0, 0.0)), atol=1e-9)


def test_the_halves_cross_at_the_pivot() -> None:
    half = half_outlines(shape_of(), RIGHT)
    assert half.grip[:, 0].mean() > 0.05
    assert half.jaw[:, 0].mean() < -0.01


@pytest.mark.parametrize("opening_deg", [4.0, 38.0])
def test_keypoints_lie_on_the_tool(opening_deg: float) -> None:
    tool = shape_of(opening_rad=math.radians(opening_deg))
    right, left = half_outlines(tool, RIGHT), half_outlines(tool, LEFT)
    on = (right.grip, left.grip, right.shank, left.jaw, right.jaw)
    for name, outline, point in zip(KEYPOINTS, on, keypoints_own(tool), strict=True):
        assert contains(outline, point), name


def test_end_points_are_near_the_ends() -> None:
    tool = shape_of()
    silhouette, keypoints = silhouette_own(tool), keypoints_own(tool)
    assert silhouette[:, 1].max() - keypoints[:2, 1].max() < 0.05
    assert keypoints[3:, 1].min() - silhouette[:, 1].min() < 0.05


def test_pose_places_the_pivot_and_scales() -> None:
    placed = Pose((10.0, 20.0), 50.0, math.pi / 2).to_picture(np.array([[0.0, 0.0], [0.0, -1.0]]))
    np.testing.assert_allclose(placed, [[10.0, 20.0], [60.0, 20.0]], atol=1e-9)


def test_squeeze_shortens_along_its_direction_only() -> None:
    placed = Pose((0.0, 0.0), 10.0, 0.0, 0.25, 0.0).to_picture(np.array([[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(placed, [[7.5, 0.0], [0.0, 10.0]], atol=1e-9)


def test_rotation_turns_clockwise_as_seen() -> None:
    np.testing.assert_allclose(rotation(math.pi / 2) @ [1.0, 0.0], [0.0, 1.0], atol=1e-12)


def test_tube_keeps_its_distance_from_the_centre_line() -> None:
    outline = tube(np.array([[0.0, 0.0], [10.0, 0.0]]), np.full(2, 2.0))
    assert (outline[:, 0].min(), outline[:, 0].max()) == pytest.approx((-2.0, 12.0))
    assert (outline[:, 1].min(), outline[:, 1].max()) == pytest.approx((-2.0, 2.0))
    area = 0.5 * np.sum(outline[:, 0] * np.roll(outline[:, 1], -1) - np.roll(outline[:, 0], -1) * outline[:, 1])
    assert abs(area) == pytest.approx(40.0 + 4.0 * math.pi, rel=0.02)


def test_bezier_starts_and_ends_at_its_control_points() -> None:
    curve = bezier(np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 2.0], [4.0, 0.0]]), 9)
    assert curve.shape == (9, 2)
    np.testing.assert_allclose(curve[[0, 4, 8]], [[0.0, 0.0], [2.0, 1.5], [4.0, 0.0]])


def test_rounded_cuts_corners_inside_the_polygon() -> None:
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    assert rounded(square, 1).tolist() == [[1, 0], [3, 0], [4, 1], [4, 3], [3, 4], [1, 4], [0, 3], [0, 1]]
