"""Configuration of `kpt-tools models`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.make_config import MakeConfigConfig


@dataclass(frozen=True)
class ModelsConfig:
    """Where to look for models that are here already.

    Attributes:
        pretrained_models: folder of the zoo's models.
    """

    pretrained_models: Path = MakeConfigConfig.pretrained_models
