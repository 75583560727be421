"""Things that lie about: they distract below the pliers, or hide a small part of them from above."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kpt_tools.demo.backgrounds import random_colour
from kpt_tools.demo.geometry import Points, bezier, rotation, tube
from kpt_tools.demo.sprites import Colour, Part

Layers = list[list[Part]]


def disc(centre_xy: tuple[float, float], radius: float, points: int = 28) -> Points:
    """Outline of a circle."""
    angle = np.linspace(0.0, 2.0 * math.pi, points, endpoint=False)
    outline: Points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + np.asarray(centre_xy)
    return outline


def box(centre_xy: tuple[float, float], width: float, height: float, angle_rad: float) -> Points:
    """Outline of a turned rectangle."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * (width, height)
    turned: Points = corners @ rotation(angle_rad).T + np.asarray(centre_xy)
    return turned


def grey(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A metal's grey, a little warm or cold."""
    level, warmth = rng.uniform(low, high), rng.uniform(-8.0, 8.0)
    return level - warmth, level, level + warmth


def any_thing(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    """A random thing of about `unit_px` times 0.3 to 0.8."""
    return _THINGS[int(rng.integers(len(_THINGS)))](rng, centre_xy, unit_px)


def small_cover(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    """A thing that hides a small part of what it lies on."""
    colour = random_colour(rng, (0.0, 0.7), (0.2, 0.95))
    angle = rng.uniform(0.0, math.pi)
    kind = int(rng.integers(3))
    if kind == 0:
        return [[Part(disc(centre_xy, rng.uniform(0.05, 0.10) * unit_px), colour)]]
    if kind == 1:
        width, height = rng.uniform(0.10, 0.22, 2) * unit_px
        return [[Part(box(centre_xy, width, height, angle), colour)]]
    length, thickness = rng.uniform(0.3, 0.6) * unit_px, rng.uniform(0.015, 0.03) * unit_px
    return [[Part(_straight(centre_xy, length, thickness, angle), colour)]]


def _straight(centre_xy: tuple[float, float], length: float, radius: float, angle_rad: float) -> Points:
    reach = 0.5 * length * np.array([math.cos(angle_rad), math.sin(angle_rad)])
    line = np.array([-reach, reach]) + np.asarray(centre_xy)
    return tube(line, np.full(2, radius))


def _stick(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    length, radius, angle = (
        rng.uniform(0.4, 0.8) * unit_px,
        rng.uniform(0.012, 0.035) * unit_px,
        rng.uniform(0, math.pi),
    )
    body = Part(_straight(centre_xy, length, radius, angle), random_colour(rng, (0.0, 0.8), (0.2, 0.9)))
    return [
        [
            body,
            Part(_straight(centre_xy, 0.8 * length, 0.35 * radius, angle), random_colour(rng, (0.0, 0.4), (0.4, 0.9))),
        ]
    ]


def _washer(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    radius = rng.uniform(0.04, 0.11) * unit_px
    metal = grey(rng, 90.0, 200.0)
    hole = tuple(0.35 * channel for channel in metal)
    inner = Part(disc(centre_xy, rng.uniform(0.3, 0.6) * radius), (hole[0], hole[1], hole[2]))
    return [[Part(disc(centre_xy, radius), metal), inner]]


def _coin(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    radius = rng.uniform(0.05, 0.16) * unit_px
    outer, inner = random_colour(rng, (0.2, 0.8), (0.4, 0.9)), random_colour(rng, (0.1, 0.6), (0.4, 0.9))
    return [[Part(disc(centre_xy, radius), outer), Part(disc(centre_xy, 0.75 * radius), inner)]]


def _carton(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    width, height = rng.uniform(0.12, 0.4, 2) * unit_px
    angle = rng.uniform(0.0, math.pi)
    body = Part(box(centre_xy, width, height, angle), random_colour(rng, (0.0, 0.6), (0.25, 0.95)))
    label = Part(box(centre_xy, 0.6 * width, 0.3 * height, angle), random_colour(rng, (0.0, 0.9), (0.2, 0.95)))
    return [[body, label]] if rng.random() < 0.6 else [[body]]


def _cable(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    control: NDArray[np.float64] = rng.uniform(-0.4, 0.4, (4, 2)) * unit_px + np.asarray(centre_xy)
    radius = np.full(24, rng.uniform(0.008, 0.016) * unit_px)
    return [[Part(tube(bezier(control, 24), radius), random_colour(rng, (0.0, 0.9), (0.1, 0.9)))]]


def _screwdriver(rng: np.random.Generator, centre_xy: tuple[float, float], unit_px: float) -> Layers:
    length, angle = rng.uniform(0.45, 0.75) * unit_px, rng.uniform(0.0, 2.0 * math.pi)
    along = np.array([math.cos(angle), math.sin(angle)])
    handle = np.asarray(centre_xy) - 0.3 * length * along
    blade = np.asarray(centre_xy) + 0.2 * length * along
    thick = rng.uniform(0.03, 0.05) * unit_px
    colour = random_colour(rng, (0.6, 1.0), (0.4, 0.95))
    return [
        [
            Part(_straight((blade[0], blade[1]), 0.6 * length, 0.28 * thick, angle), grey(rng, 110.0, 200.0)),
            Part(_straight((handle[0], handle[1]), 0.4 * length - 2 * thick, thick, angle), colour),
        ]
    ]


_THINGS: tuple[Callable[[np.random.Generator, tuple[float, float], float], Layers], ...] = (
    _stick,
    _washer,
    _coin,
    _carton,
    _cable,
    _screwdriver,
)
