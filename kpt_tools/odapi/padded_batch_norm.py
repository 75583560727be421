"""Batch normalisation of any number of channels at the speed of a multiple of 16, in bfloat16 on a CPU.

oneDNN's batch normalisation of bfloat16 values has fast code for multiples of 16 channels only; others take four times
as long as they and a few zeros beside them. MobileNetV2 has four such layers, of 24 channels, which took a tenth of a
training step. A channel's result does not depend on other channels.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

MULTIPLE = 16


@contextlib.contextmanager
def in_tracing() -> Iterator[None]:
    """Batch-normalisation layers that are traced inside the block pad their channels; their variables stay as they are.

    What a layer returns, its gradients and its moving statistics are the same but for rounding.
    """
    import tensorflow.compat.v2 as tf  # the name by which Keras' layer finds the function

    theirs = tf.compat.v1.nn.fused_batch_norm
    tf.compat.v1.nn.fused_batch_norm = functools.partial(fused_batch_norm, theirs)
    try:
        yield
    finally:
        tf.compat.v1.nn.fused_batch_norm = theirs


def fused_batch_norm(
    theirs: Callable[..., Any],
    x: Any,
    scale: Any,
    offset: Any,
    *,
    mean: Any,
    variance: Any,
    data_format: str,
    **params: Any,
) -> tuple[Any, Any, Any]:
    """`theirs` of channels with zeros beside them.

    Args:
        theirs: `tf.compat.v1.nn.fused_batch_norm`; the other arguments are its own.
        x: [N, H, W, C] float.
        scale: [C] float32.
        offset: [C] float32.
        mean: [C] float32.
        variance: [C] float32.
        data_format: with another than "NHWC", everything is passed on as it is.
        **params: passed on.

    Returns:
        [N, H, W, C] as `x`, and the new mean and variance, [C] float32.
    """
    import tensorflow as tf

    params["data_format"] = data_format
    channels = x.shape[-1]
    more = -channels % MULTIPLE if data_format == "NHWC" else 0
    if not more:
        return theirs(x, scale, offset, mean=mean, variance=variance, **params)  # type: ignore[no-any-return]

    def padded(values: Any) -> Any:
        return tf.pad(values, [[0, 0]] * (len(values.shape) - 1) + [[0, more]])

    normalised, *moments = theirs(
        padded(x), padded(scale), padded(offset), mean=padded(mean), variance=padded(variance), **params
    )
    # The gradient of tf.slice is a tf.pad; that of [..., :channels] takes longer than all the rest.
    first = tf.slice(normalised, [0, 0, 0, 0], [-1, -1, -1, channels])
    return first, *(moment[:channels] for moment in moments)
