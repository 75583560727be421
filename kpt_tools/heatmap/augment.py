"""Random changes of training pictures that move the picture and its points together, from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpt_tools.heatmap.geometry import Affine, Image, Points, compose, scale_and_shift


@dataclass(frozen=True)
class AugmentPolicy:
    """How far pictures are changed.

    Attributes:
        shift: at most this share of the side, to all sides.
        zoom: scaled by a factor from 1 / (1 + zoom) to 1 + zoom, evenly in its logarithm.
        flip: probability of a left-right mirror image; points of a pair exchange their places.
        rotate_deg: turned by at most so many degrees to either side.
        colour: brightness and contrast are changed by at most this share.
    """

    shift: float = 0.0
    zoom: float = 0.0
    flip: float = 0.0
    rotate_deg: float = 0.0
    colour: float = 0.0


NONE = AugmentPolicy()


def random_map(rng: np.random.Generator, size: int, policy: AugmentPolicy) -> tuple[Affine, bool]:
    """A random map of a size x size input onto itself, and whether it mirrors.

    The same state of `rng` always gives the same map, and always the same number of draws is taken.
    """
    zoom = (1 + policy.zoom) ** rng.uniform(-1, 1)
    angle = np.deg2rad(policy.rotate_deg) * rng.uniform(-1, 1)
    shift_x, shift_y = size * policy.shift * rng.uniform(-1, 1, 2)
    mirrored = bool(rng.random() < policy.flip)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = size / 2
    middle = scale_and_shift(1, 1, -half, -half)
    changed = compose(np.hstack([turn, [[half + shift_x], [half + shift_y]]]), middle)
    return (compose(mirror(size), changed) if mirrored else changed), mirrored


def mirror(size: int) -> Affine:
    """The left-right mirror image of a size x size input."""
    return scale_and_shift(-1.0, 1.0, float(size), 0.0)


def exchanged(points: Points, pairs: Sequence[tuple[int, int]]) -> Points:
    """The points with those of each pair in each other's place, as a mirror image needs it."""
    return points[exchanged_places(len(points), pairs)]


def exchanged_places(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """For each place in a mirror image, the place that its point comes from."""
    order = list(range(count))
    for a, b in pairs:
        order[a], order[b] = order[b], order[a]
    return order


def recoloured(rng: np.random.Generator, image: Image, strength: float) -> Image:
    """Contrast around the mean, brightness, and a tint per channel, each changed by at most `strength`."""
    draws = rng.uniform(-1, 1, 5)
    if strength <= 0:
        return image
    values = image.astype(np.float32)
    mean = values.mean()
    values = (values - mean) * (1 + strength * draws[0]) + mean * (1 + strength * draws[1])
    values *= 1 + 0.5 * strength * draws[2:5]
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
