"""Work tops for the synthetic pictures: wood, cloth, concrete, tiles, pegboard, plain."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kpt_tools.demo.sprites import Canvas, Colour

Field = NDArray[np.float32]
"""Shape (H, W)."""


def smooth_noise(rng: np.random.Generator, height: int, width: int, rows: int, columns: int) -> Field:
    """Random values on a coarse grid, interpolated; shape (height, width), roughly -1..1."""
    import cv2

    grid = rng.uniform(-1.0, 1.0, (max(2, rows), max(2, columns))).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False)


def random_colour(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """A colour of any hue; saturation and value from the given ranges of 0..1."""
    hue = rng.uniform(0.0, 6.0)
    s, v = rng.uniform(*saturation), rng.uniform(*value)
    chroma = [np.clip(abs((hue + shift) % 6.0 - 3.0) - 1.0, 0.0, 1.0) for shift in (2.0, 4.0, 0.0)]
    blue, green, red = (255.0 * v * (1.0 - s * (1.0 - float(c))) for c in chroma)
    return blue, green, red


def draw_background(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """A textured surface, seen at any angle; shape (height, width, 3), BGR, 0..255."""
    import cv2

    side = math.ceil(math.hypot(height, width))
    texture, colour = _SURFACES[int(rng.integers(len(_SURFACES)))]
    base, tint = colour(rng), random_colour(rng, (0.0, 0.5), (0.3, 0.8))
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0.0, 360.0), 1.0)
    turn += np.array([[0.0, 0.0, (width - side) / 2], [0.0, 0.0, (height - side) / 2]])
    level = cv2.warpAffine(texture(rng, side), turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    level = (1.0 + level).astype(np.float32, copy=False)
    weight = 0.10 + 0.10 * smooth_noise(rng, height, width, 3, 4)
    channels = [level * np.float32(b) for b in base]
    channels = [c + weight * (np.float32(t) - c) for c, t in zip(channels, tint, strict=True)]
    return np.asarray(np.clip(cv2.merge(channels), 4.0, 250.0), np.float32)


def _any_surface(rng: np.random.Generator) -> Colour:
    """Mostly muted; brown and grey are the most frequent, as on work benches."""
    kind = rng.random()
    if kind < 0.3:
        return _timber(rng)
    if kind < 0.6:
        return random_colour(rng, (0.0, 0.12), (0.2, 0.88))
    return random_colour(rng, (0.15, 0.5), (0.25, 0.8))


def _timber(rng: np.random.Generator) -> Colour:
    """From pale pine to weathered or dark stained wood."""
    value, faded = 255.0 * rng.uniform(0.3, 0.85), rng.uniform(0.0, 0.7)
    blue, green = rng.uniform(0.45, 0.65), rng.uniform(0.68, 0.8)
    return value * (blue + faded * (0.95 - blue)), value * (green + faded * (0.97 - green)), value


def _wood(rng: np.random.Generator, side: int) -> Field:
    wave = smooth_noise(rng, side, side, side // 40, 4)
    rows = np.arange(side, dtype=np.float32)[:, None]
    rings = np.sin(rows * np.float32(rng.uniform(0.15, 0.5)) + 5.0 * wave)
    grain = smooth_noise(rng, side, side, side // 2, side // 30)
    level = 0.10 * rings + 0.12 * grain + 0.08 * wave
    plank = rng.uniform(0.15, 0.6) * side
    offset = rng.uniform(0.0, plank)
    which = ((rows + offset) // plank).astype(np.int64)
    level += rng.uniform(-0.12, 0.12, int(which.max()) + 1).astype(np.float32)[which]
    return np.asarray(level - 0.45 * (((rows + offset) % plank) < 1.5), np.float32)


def _cloth(rng: np.random.Generator, side: int) -> Field:
    axis = np.arange(side, dtype=np.float32)
    pitch = rng.uniform(0.6, 1.6)
    weave = np.sin(axis * pitch)[:, None] * np.sin(axis * pitch)[None, :]
    level = rng.uniform(0.05, 0.16) * weave + 0.06 * smooth_noise(rng, side, side, side // 3, side // 3)
    if rng.random() < 0.5:
        bands = np.sin(axis * rng.uniform(0.05, 0.2)) > rng.uniform(0.0, 0.7)
        level += rng.uniform(-0.2, 0.2) * bands[:, None]
        if rng.random() < 0.5:
            level += rng.uniform(-0.15, 0.15) * bands[None, :]
    return np.asarray(level + 0.08 * smooth_noise(rng, side, side, 5, 5), np.float32)


def _concrete(rng: np.random.Generator, side: int) -> Field:
    level = np.zeros((side, side), np.float32)
    for cells, strength in ((4, 0.12), (16, 0.09), (60, 0.08), (side // 2, 0.10)):
        level += rng.uniform(0.5, 1.2) * strength * smooth_noise(rng, side, side, cells, cells)
    spots = smooth_noise(rng, side, side, side // 4, side // 4)
    return (level - 0.25 * (spots > rng.uniform(0.85, 1.0))).astype(np.float32)


def _tiles(rng: np.random.Generator, side: int) -> Field:
    axis = np.arange(side)
    pitch = rng.uniform(0.12, 0.35) * side
    cell = (axis // pitch).astype(np.int64)
    shades = rng.uniform(-0.1, 0.1, (int(cell.max()) + 1,) * 2).astype(np.float32)
    joint = (axis % pitch) < rng.uniform(1.5, 4.0)
    level = shades[np.ix_(cell, cell)]
    level[joint[:, None] | joint[None, :]] = rng.choice([-0.35, 0.25])
    return level + 0.04 * smooth_noise(rng, side, side, side // 6, side // 6)


def _pegboard(rng: np.random.Generator, side: int) -> Field:
    axis = np.arange(side, dtype=np.float32)
    pitch = rng.uniform(0.05, 0.1) * side
    distance = (axis % pitch - pitch / 2) ** 2
    squared = distance[:, None] + distance[None, :]
    radius = rng.uniform(0.1, 0.18) * pitch
    holes = np.clip(radius - np.sqrt(squared) + 0.5, 0.0, 1.0)
    return (-0.55 * holes + 0.08 * smooth_noise(rng, side, side, 40, 40)).astype(np.float32)


def _plain(rng: np.random.Generator, side: int) -> Field:
    ramp = np.linspace(-1.0, 1.0, side, dtype=np.float32)[:, None]
    fine = smooth_noise(rng, side, side, side // 2, side // 2)
    return (rng.uniform(0.0, 0.25) * ramp + rng.uniform(0.0, 0.06) * fine).astype(np.float32)


Texture = Callable[[np.random.Generator, int], Field]
"""Draws a square of the given side: relative brightness around 0."""

_SURFACES: tuple[tuple[Texture, Callable[[np.random.Generator], Colour]], ...] = (
    (_wood, _timber),
    (_wood, _timber),
    (_cloth, _any_surface),
    (_concrete, _any_surface),
    (_tiles, _any_surface),
    (_pegboard, _any_surface),
    (_plain, _any_surface),
)
