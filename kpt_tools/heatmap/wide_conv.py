"""Convolutions with wide kernels, multiplied in the frequency domain while training.

Directly, a 16x16 kernel over C channels costs 256 C multiplications per output value; there it costs some 5 C, and the
transforms. These are products with small matrices of cosines and sines: TensorFlow's fastest operation, and its
gradients are such products again. The result is that of a direct convolution up to float32's
rounding (convolution theorem; Mathieu et al., "Fast Training of Convolutional Networks through FFTs", 2014).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.heatmap.blocks import keras
from kpt_tools.lazy import quiet_tensorflow

Tensor = Any

WIDE = 8
"""Kernels from this side on are wide."""


def with_wide_kernels_in_frequency(model: Any) -> Any:
    """A copy of a Keras model, with fresh weights, whose wide convolutions take place in the frequency domain.

    Weights and checkpoints fit both. It is for training: an exported graph would hold the transformed kernels, which
    are nine times as large.
    """

    def copied(layer: Any) -> Any:
        kind = _layer_class() if is_wide(layer) else type(layer)
        return kind.from_config(layer.get_config())

    return keras().models.clone_model(model, clone_function=copied)


def is_wide(layer: Any) -> bool:
    """Whether a Keras layer is a convolution that `convolve` can do and that has a wide kernel."""
    return (
        type(layer) is keras().layers.Conv2D
        and min(layer.kernel_size) >= WIDE
        and layer.padding == "same"
        and layer.data_format == "channels_last"
        and (layer.strides, layer.dilation_rate, layer.groups) == ((1, 1), (1, 1), 1)
    )


def convolve(maps: Tensor, kernel: Tensor) -> Tensor:
    """What ``tf.nn.conv2d(maps, kernel, 1, "SAME")`` gives.

    Args:
        maps: [N, h, w, C] float32; h, w and C are known.
        kernel: [a, b, C, O] float32.

    Returns:
        [N, h, w, O] float32.
    """
    tf = _tf()
    height, width = int(maps.shape[1]), int(maps.shape[2])
    rows, columns, _, filters = (int(side) for side in kernel.shape)
    periods = _even(height + rows - 1), _even(width + columns - 1)
    seen, seen_i = _transformed(tf.transpose(maps, (1, 2, 0, 3)), periods)
    drawn, drawn_i = _transformed(kernel, periods)
    real = tf.matmul(seen, drawn) + tf.matmul(seen_i, drawn_i)
    imaginary = tf.matmul(seen_i, drawn) - tf.matmul(seen, drawn_i)
    starts = -((rows - 1) // 2), -((columns - 1) // 2)
    answer = _back(real, imaginary, periods, starts, (height, width))
    return tf.transpose(tf.reshape(answer, (height, width, -1, filters)), (2, 0, 1, 3))


def _transformed(values: Tensor, periods: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Discrete Fourier transform of [h, w, A, B] over h and w: real and imaginary part [down // 2 + 1, across, A, B].

    The other half of the rows is the mirror image of this one.
    """
    tf = _tf()
    height, width = (int(side) for side in values.shape[:2])
    (down, across), half = periods, periods[0] // 2 + 1
    inner = tf.shape(values)[2:]
    columns = tf.matmul(_waves_of_real(down, height), tf.reshape(values, (height, -1)))
    both = tf.matmul(_waves(across, width), tf.reshape(columns, (half, 2 * width, -1)))
    parts = tf.reshape(both, tf.concat([(half, 2, across), inner], axis=0))
    parts.set_shape((half, 2, across, *values.shape[2:]))
    real, imaginary = tf.unstack(parts, axis=1)
    return real, imaginary


def _back(
    real: Tensor, imaginary: Tensor, periods: tuple[int, int], starts: tuple[int, int], sides: tuple[int, int]
) -> Tensor:
    """The inverse of `_transformed` at `sides` positions from `starts`, as [height, width A B]."""
    tf = _tf()
    (down, across), half = periods, periods[0] // 2 + 1
    both = tf.reshape(tf.stack([real, imaginary], axis=1), (half, 2 * across, -1))
    columns = tf.matmul(_waves_back(across, starts[1], sides[1]), both)
    return tf.matmul(_waves_back_to_real(down, starts[0], sides[0]), tf.reshape(columns, (2 * half, -1)))


def _angles(first: npt.NDArray[Any], second: npt.NDArray[Any], period: int) -> npt.NDArray[np.float64]:
    """2 pi i j / period for all pairs, [first, second]."""
    return np.asarray(2 * np.pi / period * (np.outer(first, second) % period))


@functools.cache
def _waves_of_real(period: int, count: int) -> npt.NDArray[np.float32]:
    """[frequency (half of them) and part, position]: real values to their spectrum."""
    angles = _angles(np.arange(period // 2 + 1), np.arange(count), period)
    return np.stack([np.cos(angles), -np.sin(angles)], axis=1).reshape(-1, count).astype(np.float32)


@functools.cache
def _waves(period: int, count: int) -> npt.NDArray[np.float32]:
    """[part and frequency, part and position]: complex values to their spectrum."""
    angles = _angles(np.arange(period), np.arange(count), period)
    return np.block([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]]).astype(np.float32)


@functools.cache
def _waves_back(period: int, start: int, count: int) -> npt.NDArray[np.float32]:
    """[part and position, part and frequency]: a spectrum to complex values at `count` positions from `start`."""
    angles = _angles(np.arange(start, start + count), np.arange(period), period)
    waves = np.block([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    return (waves / period).astype(np.float32)


@functools.cache
def _waves_back_to_real(period: int, start: int, count: int) -> npt.NDArray[np.float32]:
    """[position, frequency (half of them) and part]: half a spectrum to real values; the mirrored half counts, too."""
    angles = _angles(np.arange(start, start + count), np.arange(period // 2 + 1), period)
    twice = np.full(period // 2 + 1, 2.0)
    twice[[0, -1]] = 1.0
    waves = np.stack([np.cos(angles) * twice, -np.sin(angles) * twice], axis=2)
    return (waves.reshape(count, -1) / period).astype(np.float32)


def _even(number: int) -> int:
    return number + number % 2


@functools.cache
def _layer_class() -> Any:
    """`Conv2D` with another way to the same answer; made when it is needed, for `tf_keras` is imported late."""
    tf = _tf()

    class WideConv2D(keras().layers.Conv2D):  # type: ignore[misc]
        """A `Conv2D` for which `is_wide` holds."""

        def call(self, inputs: Tensor) -> Tensor:
            """[N, h, w, C] to [N, h, w, O]."""
            answer = convolve(inputs, self.kernel)
            if self.use_bias:
                answer = tf.nn.bias_add(answer, self.bias)
            return answer if self.activation is None else self.activation(answer)

    return WideConv2D


def _tf() -> Any:
    return quiet_tensorflow(purpose="a convolution with a wide kernel")
