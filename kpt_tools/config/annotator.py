"""Configuration of `kpt-tools annotator pull` and `push`.

The password is no setting: it must not end up in files, logs or the list of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.errors import ConfigError

PASSWORD_VARIABLE = "KPT_TOOLS_PASSWORD"
DEFAULT_URL = "http://localhost:5000"


@dataclass(frozen=True)
class PullConfig:
    """Which data set to fetch from which coco-annotator, and where to put it.

    Attributes:
        url: address of coco-annotator.
        dataset: the data set's name.
        user: who logs in; "" for a server without logins.
        out: folder that gets ``annotations/<dataset>.json`` and ``images/``.
        all_images: also pictures without objects, which the JSON does not list.
        no_images: the JSON only.
        overwrite: replace pictures that are here with another size.
        timeout: seconds of silence that are borne.
    """

    url: str = DEFAULT_URL
    dataset: str = ""
    user: str = ""
    out: Path = Path("dataset")
    all_images: bool = False
    no_images: bool = False
    overwrite: bool = False
    timeout: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        _check(self.dataset, self.timeout)
        if self.all_images and self.no_images:
            raise ConfigError("--all-images and --no-images exclude each other. Leave one out.")


@dataclass(frozen=True)
class PushConfig:
    """Which COCO file to hand to which data set.

    Attributes:
        file: COCO JSON with pre-annotations.
        url: address of coco-annotator.
        dataset: the data set's name.
        user: who logs in; "" for a server without logins.
        new_categories: let the importer make categories that the data set does not have.
        partial: send what will be kept, if some would be lost.
        dry_run: compare only, send nothing.
        wait: seconds to wait for the importer; 0: do not wait.
        timeout: seconds of silence that are borne.
    """

    file: Path
    url: str = DEFAULT_URL
    dataset: str = ""
    user: str = ""
    new_categories: bool = False
    partial: bool = False
    dry_run: bool = False
    wait: float = 120.0
    timeout: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        _check(self.dataset, self.timeout)
        if not self.wait >= 0:
            raise ConfigError(f"--wait is {self.wait}; expected seconds from 0 up.")


def _check(dataset: str, timeout: float) -> None:
    if not dataset.strip():
        raise ConfigError("no data set given; name one with --dataset.")
    if not timeout > 0:
        raise ConfigError(f"--timeout is {timeout}; expected seconds greater than 0.")
