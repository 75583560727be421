"""How much memory and disk a training takes, by estimate.

The numbers come from single trainings on a CPU (batch 1 at 512 x 512, float32, peak of the whole process). An estimate
is good to about a third; what really happens is seen when it happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from kpt_tools.odapi.pipeline_config import Message

_TENSORFLOW_BYTES = 1.2e9
_BYTES_PER_PARAMETER = 16
"""Weight, gradient and two moments of Adam, float32."""
_SAVED_BYTES_PER_PARAMETER = 12
_CHECKPOINTS = 5
"""Three last ones, the best one, and one that is being written."""
_REFERENCE_PIXELS = 512 * 512
_SPARE = 1.3

# Feature extractor: million parameters, GB per image of 512 x 512.
_MEASURED = {
    "hourglass_104": (194.8, 1.7),
    "hourglass_52": (100.0, 1.0),
    "hourglass_20": (4.4, 0.53),
    "hourglass_10": (1.3, 0.38),
    "resnet_v1_18_fpn": (12.7, 0.50),
    "resnet_v1_34_fpn": (22.0, 0.60),
    "resnet_v1_50_fpn": (25.7, 0.69),
    "resnet_v1_101_fpn": (45.0, 1.0),
    "resnet_v2_50": (26.0, 0.69),
    "resnet_v2_101": (45.0, 1.0),
    "mobilenet_v2": (2.7, 0.56),
    "mobilenet_v2_fpn": (2.7, 0.56),
    "mobilenet_v2_fpn_sep_conv": (2.7, 0.56),
}
_UNKNOWN = (50.0, 1.0)


@dataclass(frozen=True)
class Needs:
    """Bytes that a training takes.

    Attributes:
        parameters: of the model.
        per_image: bytes that one more image per step takes.
    """

    parameters: float
    per_image: float

    def memory(self, batch_size: int) -> float:
        """Peak of the training process."""
        return _TENSORFLOW_BYTES + self.parameters * _BYTES_PER_PARAMETER + batch_size * self.per_image

    @property
    def checkpoint(self) -> float:
        """Size of one checkpoint."""
        return self.parameters * _SAVED_BYTES_PER_PARAMETER

    @property
    def disk(self) -> float:
        """All that are kept, and one that is being written."""
        return self.checkpoint * _CHECKPOINTS


def needs_of(config: Message) -> Needs:
    """The needs of a pipeline.config's model at its input size."""
    center_net = config.model.center_net
    millions, gigabytes = _MEASURED.get(center_net.feature_extractor.type, _UNKNOWN)
    return Needs(millions * 1e6, gigabytes * 1e9 * _SPARE * _pixels(config) / _REFERENCE_PIXELS)


def _pixels(config: Message) -> int:
    resizer = config.model.center_net.image_resizer
    kind = resizer.WhichOneof("image_resizer_oneof")
    if kind == "fixed_shape_resizer":
        return int(resizer.fixed_shape_resizer.height * resizer.fixed_shape_resizer.width)
    if kind == "keep_aspect_ratio_resizer":
        return int(resizer.keep_aspect_ratio_resizer.max_dimension**2)
    return _REFERENCE_PIXELS
