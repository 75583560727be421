"""Configuration of `kpt-tools import-movenet`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.make_config import MakeConfigConfig


@dataclass(frozen=True)
class ImportMovenetConfig:
    """Which weights, and where the model goes.

    Attributes:
        weights: MoveNet SinglePose Lightning 4: the ``.json`` or ``.bin`` of its TensorFlow.js graph, or an ``.npz``
            with the same arrays.
        out: the model's folder.
        force: replace a model that is there.
    """

    weights: Path
    out: Path = MakeConfigConfig.pretrained_models / "movenet_lightning"
    force: bool = False
