"""What a heatmap model is: its network, what it answers, and which part of a picture it is shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from kpt_tools.config.base import from_dict
from kpt_tools.config.heatmap import DECODINGS, MODELS, REGIONS, TARGETS, WHOLES
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json, write_json

FILE_NAME = "heatmap.json"
FORMAT = "kpt-tools-heatmap-model/1"

SIMCC_BINS_PER_PX = 2
DECODING_OF_TARGET = {
    "gaussian": "taylor",
    "circle": "around-peak",
    "softargmax": "average",
    "simcc": "taylor",
    "points": "none",
}
"""What suits what the target makes of a point; softargmax is trained through its average."""


@dataclass(frozen=True)
class HeatmapSpec:
    """A heatmap model without its weights.

    Attributes:
        model: name in the registry of networks.
        target: what it answers: heatmaps drawn as "gaussian" or "circle", "softargmax" (heatmaps that add up to 1),
            "simcc" (a distribution per axis), or "points" (coordinates).
        region: what it is shown: "whole", "points" (a square around the object's points), "both" (first the one, then
            the other) or "document" (the document's crop).
        whole: what "whole" means: the whole "picture", or the object's "box".
        num_keypoints: K.
        input_px: side of its input.
        output_px: side of its heatmaps, bins per axis for "simcc"; 0 for "points".
        sigma: of the targets, in cells or bins.
        box_margin: share of a box's larger side that is added around it.
        points_margin: the same for the box around the points.
    """

    model: str
    target: str
    region: str
    whole: str
    num_keypoints: int
    input_px: int
    output_px: int
    sigma: float
    box_margin: float = 0.15
    points_margin: float = 0.75

    @property
    def decoding(self) -> str:
        """The decoding that suits the target."""
        return DECODING_OF_TARGET[self.target]

    @property
    def decodings(self) -> tuple[str, ...]:
        """All decodings that are possible."""
        return ("none",) if self.target == "points" else DECODINGS

    @property
    def needs_points(self) -> bool:
        """Whether it has to be told roughly where the points are."""
        return self.region in ("points", "document")

    @property
    def peak(self) -> float:
        """The highest value of a heatmap for a point that is certain."""
        return 1.0 / (2 * 3.141592653589793 * self.sigma**2) if self.target in ("softargmax", "simcc") else 1.0


def write_spec(folder: Path, spec: HeatmapSpec) -> Path:
    """Write ``folder/heatmap.json`` and return its path."""
    return write_json(folder / FILE_NAME, {"format": FORMAT, **asdict(spec)})


def read_spec(folder: Path) -> HeatmapSpec:
    """Read ``folder/heatmap.json``.

    Raises:
        ConfigError: there is none, or it has an unknown setting.
        DataError: it is not such a file.
    """
    path = folder / FILE_NAME
    raw = read_json(path, what="description of a heatmap model (kpt-tools heatmap train writes it)")
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise DataError(f"{path}: not a description of format {FORMAT}. Run kpt-tools heatmap export again.")
    spec = from_dict(HeatmapSpec, raw)
    known = {"model": MODELS, "target": TARGETS, "region": REGIONS, "whole": WHOLES}
    for name, choices in known.items():
        if getattr(spec, name) not in choices:
            raise DataError(f"{path}: {name} is {getattr(spec, name)!r}; expected one of {', '.join(choices)}.")
    if not all(isinstance(value, int) and value > 0 for value in (spec.num_keypoints, spec.input_px)):
        raise DataError(f"{path}: num_keypoints and input_px are to be whole numbers above 0. Export the model again.")
    return spec
