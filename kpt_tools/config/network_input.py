"""The JSON file beside each model of fixed size: how a picture becomes the input of its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json, write_json

FORMAT = "kpt-tools-network-input/1"

MOST_STRETCH = 0.06
"""How much wider or narrower than the pictures a rectangular input may be; pictures that differ more are padded."""

INPUT_NAME = "image"
"""The one input of every model of fixed size: float32 [1, H, W, 3], red first, from 0 to 255."""


@dataclass(frozen=True)
class NetworkInput:
    """How a picture becomes the input of a network of fixed size; the OD API's resizers in numbers.

    Attributes:
        input_hw: height and width of the input in pixels.
        min_side: the picture keeps its aspect: it is made as large as it can be with its shorter side at most this and
            its longer side at most that of `input_hw` (a square), and lies in the upper left corner;
            None: it is stretched to `input_hw`.
        pad_rgb: the colour beside and below it.
        clip_keypoints: keypoints outside the picture are moved to its border and get score 0.
    """

    input_hw: tuple[int, int]
    min_side: int | None = None
    pad_rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    clip_keypoints: bool = False


def stretch(aspect: float, other: float) -> float:
    """How far a picture of one width / height is stretched to another: 0.05 for five per cent, either way."""
    return max(aspect / other, other / aspect) - 1.0


def description_of(model: Path) -> Path:
    """The file beside `model` that describes its input."""
    return model.with_suffix(".json")


def write_network_input(model: Path, value: NetworkInput) -> Path:
    """Write the description beside the file `model`, atomically, and return its path."""
    return write_json(description_of(model), {"format": FORMAT, **asdict(value)})


def read_network_input(model: Path) -> NetworkInput:
    """Read the description beside the file `model`.

    Raises:
        ConfigError: there is none.
        DataError: it is not such a file, or makes no sense.
    """
    path = description_of(model)
    raw = read_json(path, what="description of the input (kpt-tools export writes it beside the model)")
    found = raw.get("format") if isinstance(raw, Mapping) else type(raw).__name__
    if found != FORMAT:
        raise DataError(f"{path}: format is {found!r}; expected '{FORMAT}'. Run kpt-tools export again.")
    try:
        return _from_dict(raw)
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{path}: damaged description of the input ({exc!r}). Run kpt-tools export again.") from exc


def _from_dict(raw: Mapping[str, Any]) -> NetworkInput:
    height, width = (int(side) for side in raw["input_hw"])
    red, green, blue = (float(value) for value in raw["pad_rgb"])
    min_side = None if raw["min_side"] is None else int(raw["min_side"])
    if height < 1 or width < 1 or (min_side is not None and not 1 <= min_side <= height == width):
        raise ValueError(f"input_hw {height}, {width} with min_side {min_side}")
    return NetworkInput((height, width), min_side, (red, green, blue), bool(raw["clip_keypoints"]))
