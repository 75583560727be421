"""Configuration of `kpt-tools make-tfrecord`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_choice, check_padding, check_share
from kpt_tools.errors import ConfigError

VERIFY = ("structure", "full")
MIN_SIDE = 16
"""In pixels: no network works on smaller pictures."""


@dataclass(frozen=True)
class MakeTfrecordConfig:
    """Which annotations and images become which records.

    Attributes:
        annotations: COCO JSON, or a folder with one; None: the only one in ``dataset/annotations``.
        images: folder of the images.
        out: folder of the shards, manifest.json, train.json, val.json and report.json.
        label_map: the label map to write.
        val: share of the images for val; None or 0: no val records. Not used with `val_annotations`.
        seed: of the split and of the order of the train images.
        group_by: regular expression on file names; images of equal match stay on one side of the split.
        val_annotations: COCO JSON of the val images, instead of a split.
        val_images: folder of its images; None: `images`.
        shards: number of shards per split; None: see `records.shards.shard_count`.
        boxes_from_keypoints: make missing boxes from the labelled keypoints.
        box_padding: share of the longer side of the keypoints' extent that such a box gets on each side.
        keep_empty: keep images without objects as background; otherwise they are left out.
        verify: "structure" trusts whole image headers, "full" decodes every pixel.
        max_side: the longer side of stored pictures at most, in pixels; None: they are stored as they are.
        workers: processes that look at, read and convert images; None: one per core.
        strict: stop before anything is written if a finding is an error or a warning.
    """

    annotations: Path | None = None
    images: Path = Path("dataset/images")
    out: Path = Path("dataset/tfrecord")
    label_map: Path = Path("label_maps/label_map.pbtxt")
    val: float | None = 0.2
    seed: int = 0
    group_by: str | None = None
    val_annotations: Path | None = None
    val_images: Path | None = None
    shards: int | None = None
    boxes_from_keypoints: bool = False
    box_padding: float = 0.15
    keep_empty: bool = False
    verify: str = "structure"
    max_side: int | None = None
    workers: int | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        check_share("--val", 0.0 if self.val is None else self.val)
        check_padding(self.box_padding)
        check_choice("--verify", self.verify, VERIFY)
        if self.shards is not None and self.shards < 1:
            raise ConfigError(f"--shards is {self.shards}; expected a number from 1 up.")
        if self.max_side is not None and self.max_side < MIN_SIDE:
            raise ConfigError(f"--max-side is {self.max_side}; expected a number of pixels from {MIN_SIDE} up.")
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"--workers is {self.workers}; expected a number from 1 up.")
        if self.val_images is not None and self.val_annotations is None:
            raise ConfigError("--val-images needs --val-annotations, the JSON of those images.")
        if self.val_annotations is not None and self.group_by is not None:
            raise ConfigError("--group-by is for a split; with --val-annotations there is none. Leave one out.")
