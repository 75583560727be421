"""From a picture to the input of a network of fixed size, and from its outputs back to the picture.

A SavedModel does this inside; ONNX, OpenVINO and TFLite models take an input of fixed size, so it is done here, without
TensorFlow and with the same numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kpt_tools.config.network_input import NetworkInput
from kpt_tools.inference.engine import ImageRgb, RawDetections

FloatImage = npt.NDArray[np.float32]
"""[H, W, 3], red first, from 0 to 255."""

_BLOCK = 16
"""Rows of the result that are worked on together: what they need stays in the processor's cache."""

_BOXES, _POINTS, _POINT_SCORES = "detection_boxes", "detection_keypoints", "detection_keypoint_scores"


def resized_hw(image_hw: tuple[int, int], network: NetworkInput) -> tuple[int, int]:
    """Height and width that a picture has inside the network's input.

    ``object_detection.core.preprocessor.resize_to_range`` with the arithmetic of ``tf.image.resize_images``: a
    float32 scale, and rounding to the nearest even number at ties.
    """
    if network.min_side is None:
        return network.input_hw
    height, width = image_hw
    longest = max(network.input_hw)
    limit_h, limit_w = (network.min_side, longest) if height < width else (longest, network.min_side)
    scale = min(np.float32(limit_h) / np.float32(height), np.float32(limit_w) / np.float32(width))
    return int(np.rint(scale * np.float32(height))), int(np.rint(scale * np.float32(width)))


def resize_bilinear(image: ImageRgb, hw: tuple[int, int], out: FloatImage | None = None) -> FloatImage:
    """Resize as the OD API does: TensorFlow 1's bilinear kernel, without half-pixel centres and without antialiasing.

    Output pixel i looks at input position i * size_in / size_out (OpenCV, Pillow and ``tf.image.resize`` of
    TensorFlow 2 look at (i + 0.5) * size_in / size_out - 0.5). Source: ``LegacyScaler`` and ``resize_bilinear_op.cc``
    in TensorFlow; values agree to 1e-4.

    Args:
        image: [H, W, 3] uint8.
        hw: the new height and width.
        out: where to write, [new height, new width, 3] float32; None: a new array.

    Returns:
        [new height, new width, 3] float32.
    """
    top, bottom, weight_y = _axis(image.shape[0], hw[0])
    first, second, weights = _axis(image.shape[1], hw[1])
    colours = np.tile(np.arange(3), hw[1])
    left, right, weight_x = np.repeat(first, 3) * 3 + colours, np.repeat(second, 3) * 3 + colours, np.repeat(weights, 3)
    pixels = image.reshape(image.shape[0], -1)
    result = np.empty((*hw, 3), np.float32) if out is None else out
    for begin in range(0, hw[0], _BLOCK):
        part = slice(begin, min(begin + _BLOCK, hw[0]))
        upper, lower = (pixels[rows[part]].astype(np.float32) for rows in (top, bottom))
        rows = _between(upper, lower, weight_y[part, np.newaxis])
        found = _between(rows.take(left, 1), rows.take(right, 1), weight_x)
        result[part] = found.reshape(-1, hw[1], 3)
    return result


def _axis(size: int, new: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatImage]:
    """For each output place the two input places that it lies between, and the weight of the second."""
    places = np.arange(new, dtype=np.float32) * (np.float32(size) / np.float32(new))
    low = np.floor(places)
    first = low.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), places - low


def _between(first: FloatImage, second: FloatImage, weight: FloatImage) -> FloatImage:
    """Values between two arrays, which are overwritten."""
    second -= first
    second *= weight
    first += second
    return first


def network_image(image: ImageRgb, network: NetworkInput) -> FloatImage:
    """A picture as the network takes it: resized, in the upper left corner of the padding.

    Args:
        image: [H, W, 3] uint8, red first.
        network: what the network takes.

    Returns:
        [network height, network width, 3] float32, from 0 to 255.
    """
    height, width = resized_hw((image.shape[0], image.shape[1]), network)
    result = np.empty((*network.input_hw, 3), np.float32)
    result[height:] = network.pad_rgb
    result[:height, width:] = network.pad_rgb
    resize_bilinear(image, (height, width), result[:height, :width])
    return result


def without_padding(raw: RawDetections, image_hw: tuple[int, int], network: NetworkInput) -> RawDetections:
    """Detections relative to the picture instead of to the network's input.

    Boxes are cut at the border of the picture, as the OD API's ``convert_strided_predictions_to_normalized_boxes``
    does; keypoints are not, unless the model says so.

    Args:
        raw: of one picture; boxes [N, 4] and keypoints [N, S, 2] from 0 to 1 over the whole input.
        image_hw: height and width of the picture before resizing.
        network: what the network took.
    """
    inner = resized_hw(image_hw, network)
    scale = np.divide(network.input_hw, inner, dtype=np.float32)
    result = dict(raw)
    result[_BOXES] = np.clip(raw[_BOXES] * np.tile(scale, 2), 0.0, 1.0)
    if _POINTS in raw:
        points = raw[_POINTS] * scale
        if network.clip_keypoints:
            inside = ((points >= 0.0) & (points <= 1.0)).all(axis=-1)
            points = np.clip(points, 0.0, 1.0)
            result[_POINT_SCORES] = np.where(inside, raw[_POINT_SCORES], np.zeros_like(raw[_POINT_SCORES]))
        result[_POINTS] = points
    return result
