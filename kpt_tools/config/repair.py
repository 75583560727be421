"""Configuration of `kpt-tools repair`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RepairConfig:
    """Which JSON to repair, and what of it.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        images: folder of the images, for repairs that have to look at them; None: such repairs are left out.
        out: the repaired JSON; never the one that is read; None: beside it, as ``<stem>_repaired.json``.
        codes: finding codes with commas between.
        safe: all repairs that lose nothing.
        log: JSON file for every change; None: beside `out`, as ``<stem>.changes.json``.
        flip_pairs: as in `make-config`, for ``sides-swapped``; None: found by name.
    """

    annotations: Path | None = None
    images: Path | None = None
    out: Path | None = None
    codes: str | None = None
    safe: bool = False
    log: Path | None = None
    flip_pairs: str | None = None
