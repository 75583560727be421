"""Settings of `kpt-tools demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class DemoConfig:
    """Settings of `kpt-tools demo`.

    Attributes:
        out: the folder to work in; a demo that was stopped goes on there.
        count: pictures to draw; a fifth of them is held out.
        steps: training steps; fewer than make-config would take, so that the demo ends within ten minutes.
        seed: of pictures, split and training.
        goal: box AP50 and OKS AP50 that the demo must reach on the held-out pictures.
    """

    out: Path = Path("demo")
    count: int = 400
    steps: int = 2200
    seed: int = 0
    goal: float = 0.8

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        if self.count < 10:
            raise ConfigError(f"--count is {self.count}; expected at least 10 pictures.")
        if self.seed < 0:
            raise ConfigError(f"--seed is {self.seed}; expected 0 or more.")
