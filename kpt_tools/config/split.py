"""Configuration of `kpt-tools split`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_share
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig


@dataclass(frozen=True)
class SplitConfig:
    """Which JSON to split, and how.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        out: folder for ``<stem>_train.json`` and ``<stem>_val.json``; None: that of the JSON.
        val: share of the images for val.
        seed: another seed gives another split.
        group_by: regular expression on file names; images of equal match stay together.
    """

    annotations: Path | None = None
    out: Path | None = None
    val: float = 0.2
    seed: int = MakeTfrecordConfig.seed
    group_by: str | None = None

    def __post_init__(self) -> None:
        """Refuse a share that leaves a side empty."""
        check_share("--val", self.val)
