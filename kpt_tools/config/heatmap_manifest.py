"""The manifest that `heatmap prepare` leaves beside its shards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.base import from_dict
from kpt_tools.config.heatmap import WHOLES
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json, write_json

FILE_NAME = "manifest.json"
FORMAT = "kpt-tools-heatmap-data/1"


@dataclass(frozen=True)
class HeatmapSide:
    """Train, val or test.

    Attributes:
        shards: file name to SHA-256, in order.
        pictures: number of pictures.
        objects: number of patches, as read back.
        points: number of labelled points, as read back.
    """

    shards: dict[str, str]
    pictures: int
    objects: int
    points: int


@dataclass(frozen=True)
class HeatmapData:
    """What is in a folder of patches.

    Attributes:
        whole: "picture" or "box": what a patch holds.
        sides: "train", "val" and perhaps "test".
        source: the source, the options and the versions.
    """

    whole: str
    sides: dict[str, HeatmapSide]
    source: dict[str, Any]

    def write(self, folder: Path) -> Path:
        """Write ``folder/manifest.json`` and return its path."""
        return write_json(folder / FILE_NAME, {"format": FORMAT, **asdict(self)})

    def files(self, folder: Path, side: str) -> tuple[Path, ...]:
        """The shards of a side.

        Raises:
            ConfigError: there is no such side, or a shard is gone.
        """
        if side not in self.sides:
            raise ConfigError(f"{folder}: no side '{side}'; it has {', '.join(self.sides)}. Prepare with --{side} 0.2.")
        paths = tuple(folder / name for name in self.sides[side].shards)
        for path in paths:
            if not path.is_file():
                raise ConfigError(f"{path}: is gone; the manifest beside it names it. Run kpt-tools heatmap prepare.")
        return paths


def read_data(folder: Path) -> HeatmapData:
    """Read ``folder/manifest.json``.

    Raises:
        ConfigError: there is none.
        DataError: it is not the manifest of `heatmap prepare`.
    """
    path = folder / FILE_NAME
    raw = read_json(path, what="manifest of patches (run kpt-tools heatmap prepare)")
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise DataError(f"{path}: not a manifest of format {FORMAT}. Run kpt-tools heatmap prepare.")
    try:
        raw["sides"] = {name: from_dict(HeatmapSide, row) for name, row in raw["sides"].items()}
        data = from_dict(HeatmapData, raw)
    except (KeyError, TypeError, AttributeError) as exc:
        raise DataError(f"{path}: damaged manifest ({exc}). Run kpt-tools heatmap prepare again.") from exc
    if data.whole not in WHOLES:
        raise DataError(f"{path}: 'whole' is {data.whole!r}; expected one of {', '.join(WHOLES)}. Prepare again.")
    return data
