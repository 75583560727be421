"""Configuration of `kpt-tools fetch`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.errors import ConfigError

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class FetchConfig:
    """Which model, from where, how patiently.

    Attributes:
        name: of the model, its archive or its folder.
        pretrained_models: folder that gets it.
        url: another server, or an archive that is here already; None: the zoo's own server.
        sha256: checksum that the archive must have; None: any, as the zoo publishes none.
        force: replace a model that is there.
        keep_archive: keep the archive in `pretrained_models` after unpacking.
        timeout: longest silence of the server, in seconds.
        attempts: tries in a row before giving up.
    """

    name: str
    pretrained_models: Path = MakeConfigConfig.pretrained_models
    url: str | None = None
    sha256: str | None = None
    force: bool = False
    keep_archive: bool = False
    timeout: float = 30.0
    attempts: int = 5

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ConfigError(f"--sha256 has {len(self.sha256)} characters; expected 64 hexadecimal digits.")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ConfigError(f"--timeout is {self.timeout}; expected seconds above 0, such as 30.")
        if self.attempts < 1:
            raise ConfigError(f"--attempts is {self.attempts}; expected 1 or more.")
