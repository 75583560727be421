"""Numeric precision of training."""

from __future__ import annotations

import os
from pathlib import Path

FLOAT32 = "float32"
BFLOAT16 = "bfloat16"
AUTO = "auto"
CHOICES = (AUTO, FLOAT32, BFLOAT16)

_OPTION = "auto_mixed_precision_onednn_bfloat16"
_NOT_IN_BFLOAT16 = "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE"
"""Names operations that stay float32. oneDNN's gradient of a depthwise convolution with stride 2 takes five times as
long in bfloat16 as in float32: a quarter of a training step of MobileNetV2. See `fast_gradients.install_depthwise`."""


def resolve(precision: str) -> str:
    """The precision to use: "auto" is bfloat16 on a CPU that computes in it, else float32."""
    if precision != AUTO:
        return precision
    return BFLOAT16 if cpu_has_bfloat16() else FLOAT32


def cpu_has_bfloat16() -> bool:
    """Whether /proc/cpuinfo names a bfloat16 instruction set; False where there is no such file."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return False
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def is_bfloat16() -> bool:
    """Whether TensorFlow computes in bfloat16 as `apply_precision` set it."""
    import tensorflow as tf

    return bool(tf.config.optimizer.get_experimental_options().get(_OPTION))


def depthwise_gradients_in_bfloat16() -> None:
    """Let gradients of depthwise convolutions be computed in bfloat16, too; until `apply_precision` is called again."""
    os.environ.pop(_NOT_IN_BFLOAT16, None)


def apply_precision(precision: str) -> None:
    """Make TensorFlow compute in `precision`, before a model is built.

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
