"""Configuration of `kpt-tools convert`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.checks import check_choice, check_padding, check_share
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.errors import ConfigError

FORMATS = (
    "coco",
    "coco-annotator",
    "yolo-pose",
    "label-studio",
    "cvat",
    "deeplabcut",
    "deeplabcut-h5",
    "labelme",
)


@dataclass(frozen=True)
class ConvertConfig:
    """What to convert into what.

    Attributes:
        annotations: file or folder.
        to_format: one of `FORMATS`.
        out: folder, or for formats of one file that file.
        from_format: one of `FORMATS`; None: seen from the content, if there can be no doubt.
        images: folder of the images; tells sizes and EXIF orientations.
        copy_images: also copy the images to where the format expects them.
        classes: COCO JSON whose classes, keypoint order and skeletons to use.
        category: class of objects without one; for DeepLabCut the class to write.
        boxes_from_keypoints: make missing boxes from the labelled keypoints.
        box_padding: as in `make-tfrecord`.
        flip_pairs: as in `make-config`; for YOLO's flip_idx.
        val: share of the images for val; for YOLO only.
        seed: of the split.
        group_by: as in `split`.
        scorer: DeepLabCut's name of the person who labelled.
        image_url: what Label Studio's image addresses start with.
    """

    annotations: Path
    to_format: str
    out: Path
    from_format: str | None = None
    images: Path | None = None
    copy_images: bool = False
    classes: Path | None = None
    category: str | None = None
    boxes_from_keypoints: bool = False
    box_padding: float = MakeTfrecordConfig.box_padding
    flip_pairs: str | None = None
    val: float = 0.0
    seed: int = MakeTfrecordConfig.seed
    group_by: str | None = None
    scorer: str = "scorer"
    image_url: str = "/data/local-files/?d="

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        check_choice("--to", self.to_format, FORMATS)
        if self.from_format is not None:
            check_choice("--from", self.from_format, FORMATS)
        check_share("--val", self.val)
        check_padding(self.box_padding)
        if self.to_format != "yolo-pose" and (self.val or self.group_by is not None):
            raise ConfigError(f"--val and --group-by are for yolo-pose; for {self.to_format} use kpt-tools split.")
        if self.group_by is not None and not self.val:
            raise ConfigError("--group-by needs --val, the share of the images for val.")
        if not self.scorer.strip() or any(sign in self.scorer for sign in '/\\,"\n'):
            raise ConfigError(f"--scorer is '{self.scorer}'; expected a name without slashes, commas and quotes.")
