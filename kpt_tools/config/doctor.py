"""Settings of `kpt-tools doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DoctorConfig:
    """Settings of `kpt-tools doctor`.

    Attributes:
        quick: look at what is installed only; do not load TensorFlow and the OD API.
        folder: the folder whose disk is looked at.
    """

    quick: bool = False
    folder: Path = Path()
