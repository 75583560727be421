"""Configuration of `kpt-tools split`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_part
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class SplitConfig:
    """Which JSON to split, and how.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        out: folder for ``<stem>_train.json`` and so on; None: that of the JSON.
        val: share of the images for val (a float below 1), or their number (an int).
        test: the same for test; 0: no test file.
        seed: another seed gives another split.
        group_by: regular expression on file names; images of equal match stay together.
        stratify: give each class nearly the same share on each side.
        in_file_order: train, then val, then test, as the images stand in the JSON.
    """

    annotations: Path | None = None
    out: Path | None = None
    val: float = 0.2
    test: float = 0
    seed: int = MakeTfrecordConfig.seed
    group_by: str | None = None
    stratify: bool = False
    in_file_order: bool = False

    def __post_init__(self) -> None:
        """Refuse parts that leave a side empty, and orders that contradict each other."""
        check_part("--val", self.val)
        check_part("--test", self.test)
        if self.in_file_order and (self.group_by is not None or self.stratify):
            raise ConfigError("--in-file-order goes by the file alone; leave --group-by and --stratify out.")
