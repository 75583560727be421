"""Configuration of `kpt-tools check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_choice, check_padding
from kpt_tools.config.make_tfrecord import VERIFY, MakeTfrecordConfig


@dataclass(frozen=True)
class CheckConfig:
    """What to check, and how closely. Rules are those of `make-tfrecord`.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        images: folder of the images.
        annotations_only: do not look at the images.
        boxes_from_keypoints: check as `make-tfrecord --boxes-from-keypoints` would.
        box_padding: as in `make-tfrecord`.
        keep_empty: images without objects are meant as background.
        verify: "structure" trusts whole image headers, "full" decodes every pixel.
        report: JSON file for all findings.
    """

    annotations: Path | None = None
    images: Path = MakeTfrecordConfig.images
    annotations_only: bool = False
    boxes_from_keypoints: bool = False
    box_padding: float = MakeTfrecordConfig.box_padding
    keep_empty: bool = False
    verify: str = MakeTfrecordConfig.verify
    report: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        check_padding(self.box_padding)
        check_choice("--verify", self.verify, VERIFY)
