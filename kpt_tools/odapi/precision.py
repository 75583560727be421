"""Numeric precision of training."""

from __future__ import annotations

import os
from pathlib import Path

from kpt_tools.errors import ConfigError

FLOAT32 = "float32"
BFLOAT16 = "bfloat16"
FLOAT16 = "float16"
AUTO = "auto"
CPU_CHOICES = (AUTO, FLOAT32, BFLOAT16)
CHOICES = (*CPU_CHOICES, FLOAT16)

_POLICIES = {FLOAT32: "float32", BFLOAT16: "mixed_bfloat16", FLOAT16: "mixed_float16"}
_FIRST_WITH_FLOAT16 = (7, 0)
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


def of_gpus() -> str | None:
    """The 16 bits that all GPUs have matrix units for, by compute capability; None: there are none.

    bfloat16 from 8.0 on (Ampere), float16 from 7.0 on (Volta, Turing).
    """
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    least = min((one.get("compute_capability", (0, 0)) for one in details), default=(0, 0))
    if least >= _FIRST_WITH_BFLOAT16:
        return BFLOAT16
    return FLOAT16 if least >= _FIRST_WITH_FLOAT16 else None


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


def is_float16() -> bool:
    """Whether layers that are made now compute in float16, as `apply_to_device` set it."""
    import tensorflow as tf

    return bool(tf.keras.mixed_precision.global_policy().name == _POLICIES[FLOAT16])


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

    There it is Keras' policy "mixed_bfloat16" or "mixed_float16": variables stay float32, layers that are made from
    now on compute in 16 bits. The range of bfloat16 is that of float32; that of float16 is not: see `float16_step`.

    Raises:
        ConfigError: float16 without a GPU.
        ValueError: an unknown precision.
    """
    import tensorflow as tf

    if not has_gpu():
        if precision == FLOAT16:
            raise ConfigError(
                "--precision float16, but TensorFlow found no GPU, and CPUs are slow in it. Take auto, float32 or "
                "bfloat16; if there is a GPU, see what `kpt-tools doctor` says of it."
            )
        apply_precision(precision)
        return
    apply_precision(FLOAT32 if precision in _POLICIES else precision)
    tf.keras.mixed_precision.set_global_policy(_POLICIES[precision])
