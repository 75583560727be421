"""Configuration of `kpt-tools check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_choice, check_padding
from kpt_tools.config.make_tfrecord import VERIFY, MakeTfrecordConfig
from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class CheckConfig:
    """What to check, and how closely. Rules are those of `make-tfrecord`.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        images: folder of the images.
        annotations_only: do not look at the images.
        against: COCO JSON of the other side of a split; pictures that are in both, or look alike, are told.
        against_images: folder of its images; None: `images`.
        look_alikes: look for pictures that look nearly the same.
        flip_pairs: as in `make-config`; None: found by name.
        boxes_from_keypoints: check as `make-tfrecord --boxes-from-keypoints` would.
        box_padding: as in `make-tfrecord`.
        keep_empty: images without objects are meant as background.
        verify: "structure" trusts whole image headers, "full" decodes every pixel.
        workers: processes that look at images; None: one per core.
        report: JSON file for all findings.
        html: HTML file for a page with pictures and plots.
    """

    annotations: Path | None = None
    images: Path = MakeTfrecordConfig.images
    annotations_only: bool = False
    against: Path | None = None
    against_images: Path | None = None
    look_alikes: bool = True
    flip_pairs: str | None = None
    boxes_from_keypoints: bool = False
    box_padding: float = MakeTfrecordConfig.box_padding
    keep_empty: bool = False
    verify: str = MakeTfrecordConfig.verify
    workers: int | None = None
    report: Path | None = None
    html: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        check_padding(self.box_padding)
        check_choice("--verify", self.verify, VERIFY)
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"--workers is {self.workers}; expected a number from 1 up.")
        if self.against_images is not None and self.against is None:
            raise ConfigError("--against-images needs --against, the JSON of those images.")
        if self.against is not None and self.annotations_only:
            raise ConfigError("--against compares pictures, and --annotations-only looks at none. Leave one out.")
