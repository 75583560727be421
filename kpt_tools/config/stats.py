"""Configuration of `kpt-tools stats`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StatsConfig:
    """What to count.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        json: JSON file for the numbers.
    """

    annotations: Path | None = None
    json: Path | None = None
