"""The form of a pair of combination pliers, and where its keypoints are.

Two frames. The pliers' own frame has its origin at the pivot and the length of the closed tool as its
unit; the jaws point to -y and the handles to +y, so that with x to the right a person who looks from
the handles towards the jaws has +x on the right hand. The picture's frame is that of every pixel
coordinate of this package: x to the right, y down, origin at the outer corner of the first pixel.

*Right* and *left* are decided by the picture, as in real exports of annotated pliers: looking from the
handles towards the jaws, right is what lies to the right of the axis. Handle and jaw of the same side
therefore belong to different halves of the tool, because the halves cross at the pivot. Turning the
tool over, or mirroring the picture, exchanges right and left of handles and heads and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Shape (N, 2), x and y."""

KEYPOINTS = ("right_handle", "left_handle", "middle", "right_head", "left_head")
"""Names in annotation order: ends of the handles, pivot, tips of the jaws."""

SKELETON_1BASED = ((1, 3), (2, 3), (3, 4), (3, 5))
"""Edges between keypoints, counted from 1 as coco-annotator does."""

FLIP_PAIRS = ((0, 1), (3, 4))
"""Keypoints (0-based) that exchange when the picture is mirrored."""

RIGHT, LEFT = 1, -1


@dataclass(frozen=True, slots=True)
class PliersShape:
    """Proportions of one tool, in units of its closed length.

    Attributes:
        jaw_length: pivot to tip.
        jaw_width: greatest width of one jaw.
        tip_width: width of one jaw at its tip.
        handle_length: pivot to handle end, along the axis, when closed.
        bow: how far a handle bulges outwards.
        end_spread: distance of a handle's end from the axis when closed.
        grip_radius: half the thickness of a grip.
        opening_rad: angle between the two halves; 0 is closed.
        top: side of the handle whose half lies on top, `RIGHT` or `LEFT`.
    """

    jaw_length: float
    jaw_width: float
    tip_width: float
    handle_length: float
    bow: float
    end_spread: float
    grip_radius: float
    opening_rad: float
    top: int = RIGHT


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the tool lies in the picture.

    Attributes:
        pivot_xy_px: place of the pivot.
        length_px: length of the closed tool.
        angle_rad: 0 has the jaws upwards; positive turns clockwise as seen.
        squeeze: 0 <= squeeze < 1, foreshortening of a tilted view.
        squeeze_rad: direction of the foreshortening in the picture.
    """

    pivot_xy_px: tuple[float, float]
    length_px: float
    angle_rad: float
    squeeze: float = 0.0
    squeeze_rad: float = 0.0

    def to_picture(self, points: Points) -> Points:
        """Points of the tool's own frame in pixels of the picture."""
        placed: Points = points @ self._matrix().T + np.asarray(self.pivot_xy_px)
        return placed

    def _matrix(self) -> NDArray[np.float64]:
        direction = np.array([math.cos(self.squeeze_rad), math.sin(self.squeeze_rad)])
        tilt = np.eye(2) - self.squeeze * np.outer(direction, direction)
        matrix: NDArray[np.float64] = self.length_px * tilt @ rotation(self.angle_rad)
        return matrix


@dataclass(frozen=True, slots=True)
class HalfOutlines:
    """Outlines of one half, opened, in the tool's own frame.

    Attributes:
        shank: metal between pivot and grip.
        jaw: metal from the pivot to the tip.
        grip: the coloured sleeve.
        stripe: a band of another colour along the outer side of the sleeve; it tells right from left.
        collar: the thumb stop at the upper end of the sleeve.
        teeth: short strokes on the inner edge of the jaw.
    """

    shank: Points
    jaw: Points
    grip: Points
    stripe: Points
    collar: Points
    teeth: tuple[Points, ...]


def rotation(angle_rad: float) -> NDArray[np.float64]:
    """Matrix that turns column vectors clockwise as seen (y points down)."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s], [s, c]])


def tube(centre: Points, radii: NDArray[np.float64], cap_points: int = 7) -> Points:
    """Outline of a round-ended tube of varying radius around a centre line.

    Args:
        centre: shape (N, 2), N >= 2.
        radii: shape (N,), in the same unit.
        cap_points: points on each round end.
    """
    tangent = np.concatenate([centre[1:2] - centre[:1], centre[2:] - centre[:-2], centre[-1:] - centre[-2:-1]])
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    turn = np.linspace(math.pi / 2, -math.pi / 2, cap_points)[1:-1, None]
    end = centre[-1] + radii[-1] * (np.cos(turn) * tangent[-1] + np.sin(turn) * normal[-1])
    start = centre[0] - radii[0] * (np.cos(turn) * tangent[0] + np.sin(turn) * normal[0])
    side = radii[:, None] * normal
    return np.concatenate([centre + side, end, (centre - side)[::-1], start])


def bezier(control: Points, count: int) -> Points:
    """`count` points on the cubic Bezier curve of four control points."""
    t = np.linspace(0.0, 1.0, count)[:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    curve: Points = weights @ control
    return curve


def rounded(polygon: Points, rounds: int = 2) -> Points:
    """Corners cut off (Chaikin); the middle of each edge stays on the outline."""
    for _ in range(rounds):
        following = np.roll(polygon, -1, axis=0)
        polygon = np.stack([0.75 * polygon + 0.25 * following, 0.25 * polygon + 0.75 * following], axis=1)
        polygon = polygon.reshape(-1, 2)
    return polygon


def half_outlines(shape: PliersShape, side: int) -> HalfOutlines:
    """The half whose handle is on `side`; its jaw is on the other side of the axis."""
    centre = _handle_line(shape)
    radii = _grip_radii(shape, len(centre))
    shank = np.array([[0.0, 0.0], [0.6 * centre[0, 0], 0.06], centre[0], centre[2]])
    collar = centre[:2] + 0.15 * (centre[1] - centre[0])
    parts = HalfOutlines(
        shank=tube(shank, np.array([0.075, 0.058, 0.75 * shape.grip_radius, 0.7 * shape.grip_radius])),
        jaw=rounded(_jaw(shape)),
        grip=tube(centre, radii),
        stripe=_outer_band(centre[2:], radii[2:]),
        collar=tube(collar, np.full(2, 1.28 * shape.grip_radius)),
        teeth=_teeth(shape),
    )
    return HalfOutlines(
        shank=_open(parts.shank, shape, side),
        jaw=_open(parts.jaw, shape, side),
        grip=_open(parts.grip, shape, side),
        stripe=_open(parts.stripe, shape, side),
        collar=_open(parts.collar, shape, side),
        teeth=tuple(_open(tooth, shape, side) for tooth in parts.teeth),
    )


def silhouette_own(shape: PliersShape) -> Points:
    """Points around all that belongs to the tool, shape (N, 2), in its own frame."""
    halves = [half_outlines(shape, side) for side in (RIGHT, LEFT)]
    return np.concatenate([points for half in halves for points in (half.shank, half.jaw, half.grip, half.collar)])


def keypoints_own(shape: PliersShape) -> Points:
    """The five keypoints, shape (5, 2), in the tool's own frame and in the order of `KEYPOINTS`."""
    centre = _handle_line(shape)
    towards_end = (centre[-1] - centre[-2]) / np.hypot(*(centre[-1] - centre[-2]))
    end = centre[-1:] + 0.25 * _grip_radii(shape, 2)[-1] * towards_end
    tip = np.array([[-0.5 * shape.tip_width, -shape.jaw_length + 0.02]])
    return np.concatenate(
        [
            _open(end, shape, RIGHT),
            _open(end, shape, LEFT),
            np.zeros((1, 2)),
            _open(tip, shape, LEFT),  # the half with the left handle has the right jaw
            _open(tip, shape, RIGHT),
        ]
    )


def _open(points: Points, shape: PliersShape, side: int) -> Points:
    """Points of the closed half with the right handle, for the half of `side`, turned open."""
    opened: Points = (points @ rotation(-0.5 * shape.opening_rad).T) * np.array([side, 1.0])
    return opened


def _handle_line(shape: PliersShape) -> Points:
    start, end = 0.04, shape.end_spread
    length = shape.handle_length
    control = np.array(
        [
            [start, 0.12],
            [start + 1.1 * shape.bow, 0.12 + 0.22 * length],
            [end + 0.9 * shape.bow, 0.62 * length],
            [end, length],
        ]
    )
    return bezier(control, 14)


def _grip_radii(shape: PliersShape, count: int) -> NDArray[np.float64]:
    t = np.linspace(0.0, 1.0, count)
    radii: NDArray[np.float64] = shape.grip_radius * (0.95 + 0.22 * np.sin(math.pi * t) - 0.12 * t)
    return radii


def _outer_band(centre: Points, radii: NDArray[np.float64]) -> Points:
    """Outline of the outer part of a tube that runs down on the right."""
    along = np.gradient(centre, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    outwards = np.stack([along[:, 1], -along[:, 0]], axis=1) * radii[:, None]
    return tube(centre + 0.5 * outwards, 0.46 * radii)


def _jaw(shape: PliersShape) -> Points:
    length, width, tip = shape.jaw_length, shape.jaw_width, shape.tip_width
    notch = 0.22 * width
    return np.array(
        [
            [0.035, 0.055],
            [0.03, -0.04],
            [-0.004, -0.07],
            [-notch, -0.30 * length],
            [-notch, -0.46 * length],
            [-0.002, -0.56 * length],
            [-0.002, -0.80 * length],
            [-0.002, -length],
            [-0.002 - tip, -length],
            [-0.72 * width - 0.4 * tip, -0.62 * length],
            [-1.02 * width, -0.28 * length],
            [-1.0 * width, 0.0],
            [-0.75 * width, 0.06],
            [-0.1 * width, 0.085],
        ]
    )


def _teeth(shape: PliersShape) -> tuple[Points, ...]:
    depth = 0.45 * shape.tip_width
    heights = np.linspace(0.60, 0.92, 6) * -shape.jaw_length
    half = 0.0052
    return tuple(np.array([[0.0, y - half], [-depth, y - half], [-depth, y + half], [0.0, y + half]]) for y in heights)
