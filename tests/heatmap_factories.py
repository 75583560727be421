"""Made-up "cats" for the second road: three coloured spots on a noisy ground, labelled as CAT labels them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from kpt_tools.heatmap.spec import HeatmapSpec

COLOURS = ((235, 60, 50), (50, 90, 235), (240, 220, 60))


def cat_text(points: list[tuple[int, int]]) -> str:
    return " ".join(["9", *(f"{x} {y}" for x, y in points)]) + " "


def nine_points(rng: np.random.Generator, width: int, height: int) -> list[tuple[int, int]]:
    """Eyes, mouth and ears of a head of random size and place; all inside the picture."""
    unit = rng.uniform(0.13, 0.2) * min(width, height)
    x, y = rng.uniform(2.2 * unit, width - 2.2 * unit), rng.uniform(2.2 * unit, height - 2.2 * unit)
    shape = [(-1, 0), (1, 0), (0, 1), (-1.5, -0.8), (-1.2, -1.8), (-0.5, -1), (0.5, -1), (1.2, -1.8), (1.5, -0.8)]
    return [(round(x + unit * dx), round(y + unit * dy)) for dx, dy in shape]


def draw_cat(rng: np.random.Generator, points: list[tuple[int, int]], width: int, height: int) -> Image.Image:
    ground = rng.integers(60, 150, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(ground)
    draw = ImageDraw.Draw(picture)
    radius = max(2, min(width, height) // 24)
    for (x, y), colour in zip(points[:3], COLOURS, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture


def cat_folder(folder: Path, count: int = 12, size: tuple[int, int] = (96, 72), seed: int = 0) -> Path:
    """A folder like CAT_00: names begin with one number for every three pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        points = nine_points(rng, *size)
        name = f"{number // 3:08d}_{number:03d}.jpg"
        draw_cat(rng, points, *size).save(folder / name, quality=95)
        (folder / f"{name}.cat").write_text(cat_text(points))
    return folder


def spec(**changes: object) -> HeatmapSpec:
    values: dict[str, object] = {
        "model": "mobile",
        "target": "gaussian",
        "region": "whole",
        "whole": "picture",
        "num_keypoints": 3,
        "input_px": 64,
        "output_px": 16,
        "sigma": 1.5,
    }
    return HeatmapSpec(**{**values, **changes})  # type: ignore[arg-type]
