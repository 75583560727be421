"""Configuration of `kpt-tools compare`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class CompareConfig:
    """What to put side by side.

    Attributes:
        runs: run folders, exported models, eval folders or eval.json files that `kpt-tools eval` has measured.
        out: HTML file for the page with the curves.
        json: JSON file for the numbers.
    """

    runs: tuple[Path, ...] = ()
    out: Path | None = None
    json: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        if len(self.runs) < 2:
            raise ConfigError(f"{len(self.runs)} run(s) given; expected at least two to compare.")
