"""Numeric precision of training."""

from __future__ import annotations

import os
from pathlib import Path

FLOAT32 = "float32"
BFLOAT16 = "bfloat16"
AUTO = "auto"
CHOICES = (AUTO, FLOAT32, BFLOAT16)

_FIRST_WITH_BFLOAT16 = (8, 0)
_OPTION = "auto_mixed_precision_onednn_bfloat16"
_NOT_IN_BFLOAT16 = "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE"
"""Names operations that stay float32. oneDNN's gradient of a depthwise convolution with stride 2 takes five times as
long in bfloat16 as in float32: a quarter of a training step of MobileNetV2. See `fast_gradients.install_depthwise`."""


def resolve(precision: str, *, on_gpu: bool = False) -> str:
    """The precision to use without a trial: "auto" is bfloat16 on a CPU that computes in it, else float32."""
    if precision != AUTO:
        return precision
    return BFLOAT16 if cpu_has_bfloat16() and not on_gpu else FLOAT32


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU, which then is what it computes on."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def gpus_have_bfloat16() -> bool:
    """Whether all GPUs compute in bfloat16: compute capability 8.0 (Ampere) or later."""
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return bool(details) and all(one.get("compute_capability", (0, 0)) >= _FIRST_WITH_BFLOAT16 for one in details)


def cpu_has_bfloat16() -> bool:
    """Whether /proc/cpuinfo names a bfloat16 instruction set; False where there is no such file."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return False
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def is_bfloat16() -> bool:
    """Whether TensorFlow computes in bfloat16 on the CPU, as `apply_precision` set it."""
    import tensorflow as tf

    return bool(tf.config.optimizer.get_experimental_options().get(_OPTION))


def depthwise_gradients_in_bfloat16() -> None:
    """Let gradients of depthwise convolutions be computed in bfloat16, too; until `apply_precision` is called again."""
    os.environ.pop(_NOT_IN_BFLOAT16, None)


def apply_precision(precision: str) -> None:
    """Make TensorFlow compute in `precision` on the CPU, before a model is built.

    bfloat16 is oneDNN's automatic mixed precision: variables stay float32, convolutions run in bfloat16.

    Raises:
        ValueError: another word than "float32" or "bfloat16".
    """
    if precision not in (FLOAT32, BFLOAT16):
        raise ValueError(f"precision '{precision}'; expected {FLOAT32} or {BFLOAT16}")
    import tensorflow as tf

    os.environ[_NOT_IN_BFLOAT16] = "DepthwiseConv2dNativeBackpropInput"
    wanted = precision == BFLOAT16
    tf.config.optimizer.set_experimental_options({_OPTION: wanted})


def apply_to_device(precision: str) -> None:
    """The same on what a CenterNet is trained on: the GPU if there is one.

    There bfloat16 is Keras' policy "mixed_bfloat16": variables stay float32, layers that are made from now on compute
    in bfloat16. Its range is that of float32, so losses need no scaling.
    """
    import tensorflow as tf

    if not has_gpu():
        apply_precision(precision)
        return
    apply_precision(FLOAT32 if precision == BFLOAT16 else precision)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == BFLOAT16 else "float32")
