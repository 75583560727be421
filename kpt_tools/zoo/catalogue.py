"""The CenterNet part of the TF2 detection zoo, as its owners publish it.

Names, dates, speeds and accuracies are those of ``research/object_detection/g3doc/tf2_detection_zoo.md`` in
github.com/tensorflow/models. The zoo publishes neither checksums nor sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError

BASE_URL = "http://download.tensorflow.org/models/object_detection/tf2"
ARCHIVE_SUFFIX = ".tar.gz"


@dataclass(frozen=True)
class ZooModel:
    """One pretrained model.

    Attributes:
        name: that of its archive, without ``.tar.gz``.
        date: the folder of the server that the archive lies in.
        folder: its name under ``pretrained_models/``, which is the archive's top folder.
        input_px: side of the square input.
        extractor: the feature extractor's ``type`` in its pipeline.config.
        box_ap: published COCO box AP in per cent; None if the zoo does not tell.
        keypoint_ap: published COCO keypoint AP in per cent; None for models without keypoints.
        speed_ms: published time per image, on hardware that the zoo does not name.
        download_mb: about how large the archive is; see docs/models.md for the source.
        template: the shipped template with the same extractor and input; "" if there is none.
    """

    name: str
    date: str
    folder: str
    input_px: int
    extractor: str
    box_ap: float | None
    keypoint_ap: float | None
    speed_ms: int
    download_mb: int
    template: str

    @property
    def archive(self) -> str:
        """File name of the archive."""
        return self.name + ARCHIVE_SUFFIX

    @property
    def url(self) -> str:
        """Where the zoo publishes the archive."""
        return f"{BASE_URL}/{self.date}/{self.archive}"

    @property
    def finds(self) -> str:
        """What the model outputs."""
        return "boxes" if self.keypoint_ap is None else "boxes, keypoints"


def _model(
    name: str,
    date: str,
    extractor: str,
    *,
    ap: tuple[float | None, float | None],
    ms: int,
    mb: int,
    template: str,
    px: int = 512,
    folder: str = "",
) -> ZooModel:
    return ZooModel(name, date, folder or name, px, extractor, ap[0], ap[1], ms, mb, template)


_HG512, _HG1024 = "centernet_hg104_512_kpts", "centernet_hg104_1024_kpts"
_R50FPN, _R50V2 = "centernet_resnet50_v1_fpn_512_kpts", "centernet_resnet50_v2_512_kpts"
_MOBILE, _MOBILE_TYPE = "centernet_mobilenetv2_fpn_512_kpts", "mobilenet_v2_fpn_sep_conv"

# For MobileNetV2-FPN with keypoints the page gives one number, 41.7. Its boxes-only sister has 23.4, so it is the
# keypoints' AP.
CATALOGUE: tuple[ZooModel, ...] = (
    _model("centernet_hg104_512x512_coco17_tpu-8", "20200713", "hourglass_104",
           ap=(41.9, None), ms=70, mb=1400, template=_HG512),
    _model("centernet_hg104_512x512_kpts_coco17_tpu-32", "20200711", "hourglass_104",
           ap=(40.0, 61.4), ms=76, mb=1400, template=_HG512),
    _model("centernet_hg104_1024x1024_coco17_tpu-32", "20200713", "hourglass_104",
           ap=(44.5, None), ms=197, mb=1400, template=_HG1024, px=1024),
    _model("centernet_hg104_1024x1024_kpts_coco17_tpu-32", "20200711", "hourglass_104",
           ap=(42.8, 64.5), ms=211, mb=1400, template=_HG1024, px=1024),
    _model("centernet_resnet50_v1_fpn_512x512_coco17_tpu-8", "20200711", "resnet_v1_50_fpn",
           ap=(31.2, None), ms=27, mb=200, template=_R50FPN),
    _model("centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8", "20200711", "resnet_v1_50_fpn",
           ap=(29.3, 50.7), ms=30, mb=200, template=_R50FPN),
    _model("centernet_resnet50_v2_512x512_coco17_tpu-8", "20200711", "resnet_v2_50",
           ap=(29.5, None), ms=27, mb=240, template=_R50V2),
    _model("centernet_resnet50_v2_512x512_kpts_coco17_tpu-8", "20200711", "resnet_v2_50",
           ap=(27.6, 48.2), ms=30, mb=240, template=_R50V2),
    _model("centernet_mobilenetv2fpn_512x512_coco17_od", "20210210", _MOBILE_TYPE,
           ap=(23.4, None), ms=6, mb=45, template=_MOBILE, folder="centernet_mobilenetv2_fpn_od"),
    _model("centernet_mobilenetv2fpn_512x512_coco17_kpts", "20210210", _MOBILE_TYPE,
           ap=(None, 41.7), ms=6, mb=45, template=_MOBILE, folder="centernet_mobilenetv2_fpn_kpts"),
    _model("centernet_resnet101_v1_fpn_512x512_coco17_tpu-8", "20200711", "resnet_v1_101_fpn",
           ap=(34.2, None), ms=34, mb=350, template=""),
)  # fmt: skip


def find_model(name: str) -> ZooModel:
    """The model of that name; its folder's or archive's name will do.

    Raises:
        ConfigError: there is none.
    """
    wanted = name.removesuffix(ARCHIVE_SUFFIX)
    for model in CATALOGUE:
        if wanted in (model.name, model.folder):
            return model
    hint = did_you_mean(wanted, [model.name for model in CATALOGUE])
    raise ConfigError(f"the zoo has no CenterNet model '{name}'{hint} See kpt-tools models.")
