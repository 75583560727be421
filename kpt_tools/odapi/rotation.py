"""Pictures turned and zoomed at random, with boxes and keypoints: the OD API's augmentations turn by 90 degrees only.

The box around a turned object is not known, only the box that it had. Where keypoints span most of that, it is their
new extent with the old margins, turned with them; margins that are the same on all sides were made from keypoints, and
grow with the extent as they did there (`make-tfrecord --boxes-from-keypoints`). Elsewhere the object is taken for the
ellipse that fits into its box (the rule "ellipse" of Albumentations): a turned rectangle would be too large.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

ZOOM = (0.8, 1.25)
"""Least and greatest factor."""
MOST_OUTSIDE = 0.2
"""Share of a box's area that may leave the picture; else another angle is drawn, and at last none."""
_DRAWS = 8
_LEAST_POINTS = 3
_LEAST_EXTENT = 0.5
"""Of the box's longer side, that keypoints must span."""
_SAME_MARGINS = 0.02
"""Of the extent's longer side, that equal margins may differ by."""


def default_degrees(steps: Collection[str | None]) -> float:
    """How far to turn: with the augmentations `steps` of a train_config, objects at any angle stay at any angle.

    With quarter turns 45 degrees reach every angle; upside-down mirror images without them tell of a rectangular input,
    which cannot be turned by a quarter.
    """
    if "random_rotation90" in steps:
        return 45.0
    return 180.0 if "random_vertical_flip" in steps else 15.0


def rotate(tensors: dict[str, Any], degrees: float, *, zoom: bool = True) -> dict[str, Any]:
    """Turn a decoded picture about its centre by up to `degrees` to either side.

    Keypoints that leave the picture are no longer visible. No object is lost: where one would leave the picture, the
    picture stays as it is.

    Args:
        tensors: of the OD API's decoder: ``image`` [H, W, 3] uint8, ``groundtruth_boxes`` [N, 4] (y1, x1, y2, x2 from
            0 to 1), and if there are any ``groundtruth_keypoints`` [N, K, 2] (y, x from 0 to 1, NaN where there is
            none) and ``groundtruth_keypoint_visibilities`` [N, K] bool.
        degrees: 180 for all angles.
        zoom: also change the size by a factor in `ZOOM`.
    """
    import tensorflow as tf
    from object_detection.core.standard_fields import InputDataFields as Fields

    size = tf.cast(tf.shape(tensors[Fields.image])[:2], tf.float32)
    angles = tf.random.uniform([_DRAWS], -1.0, 1.0) * math.radians(degrees)
    least, most = map(math.log, ZOOM if zoom else (1.0, 1.0))
    zooms = tf.exp(tf.random.uniform([_DRAWS]) * (most - least) + least)
    angles, zooms = tf.concat([angles, [0.0]], 0), tf.concat([zooms, [1.0]], 0)  # the last one always fits
    matrices = _matrices(angles, zooms)
    points = tensors.get(Fields.groundtruth_keypoints)
    boxes = _boxes(tensors[Fields.groundtruth_boxes], points, matrices, size)
    fits = tf.concat([_fits(boxes)[:-1], [True]], 0)
    chosen = tf.argmax(tf.cast(fits, tf.int32))
    matrix = matrices[chosen]
    found = {
        Fields.image: _picture(tensors[Fields.image], matrix, size),
        Fields.groundtruth_boxes: tf.clip_by_value(boxes[chosen], 0.0, 1.0),
    }
    if Fields.groundtruth_area in tensors:
        found[Fields.groundtruth_area] = tensors[Fields.groundtruth_area] * tf.square(zooms[chosen])
    if points is not None:
        moved = _points(points, matrix[tf.newaxis, tf.newaxis], size)
        inside = tf.reduce_all((moved >= 0.0) & (moved <= 1.0), axis=-1)
        found[Fields.groundtruth_keypoints] = tf.where(inside[..., tf.newaxis], moved, float("nan"))
        visible = tensors[Fields.groundtruth_keypoint_visibilities]
        found[Fields.groundtruth_keypoint_visibilities] = visible & inside
    return {**tensors, **found}


def _matrices(angles: Any, zooms: Any) -> Any:
    """[D, 2, 2]: what turns y, x in pixels from the centre."""
    import tensorflow as tf

    cos, sin = zooms * tf.cos(angles), zooms * tf.sin(angles)
    return tf.stack([tf.stack([cos, sin], -1), tf.stack([-sin, cos], -1)], -2)


def _product(matrix: Any, vectors: Any) -> Any:
    """[..., 2, 2] times [..., 2], broadcast; for so little work `tf.einsum` and `tf.linalg` take far longer."""
    import tensorflow as tf

    first, second = vectors[..., 0], vectors[..., 1]
    return tf.stack([matrix[..., row, 0] * first + matrix[..., row, 1] * second for row in (0, 1)], axis=-1)


def _points(points: Any, matrix: Any, size: Any) -> Any:
    return _product(matrix, (points - 0.5) * size) / size + 0.5


def _boxes(boxes: Any, points: Any, matrices: Any, size: Any) -> Any:
    """The boxes of the turned objects for each of [D, 2, 2], [D, N, 4]; they may reach out of the picture."""
    import tensorflow as tf

    ellipses = _boxes_of_ellipses(boxes, matrices[:, tf.newaxis], size)
    if points is None:
        return ellipses
    from_points, usable = _boxes_of_points(boxes, points, matrices[:, tf.newaxis], size)
    return tf.where(usable[:, tf.newaxis], from_points, ellipses)


def _boxes_of_points(boxes: Any, points: Any, matrix: Any, size: Any) -> tuple[Any, Any]:
    """The extents of the turned keypoints with margins, [D, N, 4]; and where that is to be used, [N]."""
    import tensorflow as tf

    lows, highs = boxes[:, :2] * size, boxes[:, 2:] * size
    low, high = _extent(points * size)
    new_low, new_high = _extent(_points(points, matrix[:, :, tf.newaxis], size) * size)
    below, above = low - lows, highs - high
    longer, new_longer = (tf.reduce_max(b - a, axis=-1, keepdims=True) for a, b in ((low, high), (new_low, new_high)))
    square = tf.square(matrix)
    zoom = tf.sqrt(tf.reduce_sum(square[..., 0, :], axis=-1, keepdims=True))
    shares = square / zoom[..., tf.newaxis]  # of each old axis in each new one, zoomed
    ahead = tf.cast(matrix > 0.0, tf.float32)  # whether the axes point to the same side
    below_, above_ = below[:, tf.newaxis], above[:, tf.newaxis]
    to_low = tf.reduce_sum(shares * (below_ * ahead + above_ * (1.0 - ahead)), axis=-1)
    to_high = tf.reduce_sum(shares * (above_ * ahead + below_ * (1.0 - ahead)), axis=-1)
    margins = tf.concat([below, above], axis=-1)
    spread = tf.reduce_max(margins, axis=-1, keepdims=True) - tf.reduce_min(margins, axis=-1, keepdims=True)
    derived = spread < _SAME_MARGINS * longer
    same = tf.reduce_mean(margins, axis=-1, keepdims=True) * new_longer / tf.maximum(longer, 1e-3)
    to_low, to_high = tf.where(derived, same, to_low), tf.where(derived, same, to_high)
    count = tf.reduce_sum(tf.cast(tf.reduce_all(tf.math.is_finite(points), axis=-1), tf.int32), axis=-1)
    spans = longer[:, 0] >= _LEAST_EXTENT * tf.reduce_max(highs - lows, axis=-1)
    found = tf.concat([(new_low - to_low) / size, (new_high + to_high) / size], axis=-1)
    return found, (count >= _LEAST_POINTS) & spans


def _extent(points: Any) -> tuple[Any, Any]:
    """Least and greatest y and x of [..., N, K, 2] points, NaN left out; without any, 0."""
    import tensorflow as tf

    known = tf.math.is_finite(points)
    some = tf.reduce_any(known, axis=-2)
    low = tf.reduce_min(tf.where(known, points, points.dtype.max), axis=-2)
    high = tf.reduce_max(tf.where(known, points, points.dtype.min), axis=-2)
    return tf.where(some, low, 0.0), tf.where(some, high, 0.0)


def _boxes_of_ellipses(boxes: Any, matrix: Any, size: Any) -> Any:
    import tensorflow as tf

    centres = _points((boxes[:, :2] + boxes[:, 2:]) / 2, matrix, size)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * size
    reach = tf.sqrt(_product(tf.square(matrix), tf.square(half))) / size
    return tf.concat([centres - reach, centres + reach], axis=-1)


def _fits(boxes: Any) -> Any:
    """Of [D, N, 4] boxes, for each D whether all stay in the picture with most of their area."""
    import tensorflow as tf

    def area(corners: Any) -> Any:
        return tf.reduce_prod(corners[..., 2:] - corners[..., :2], axis=-1)

    inside = area(tf.clip_by_value(boxes, 0.0, 1.0))
    return tf.reduce_all(inside >= (1.0 - MOST_OUTSIDE) * area(boxes), axis=-1)


def _picture(image: Any, matrix: Any, size: Any) -> Any:
    """The turned picture; what was outside is black."""
    import tensorflow as tf

    back = tf.transpose(matrix) / tf.reduce_sum(tf.square(matrix[0]))  # from the new picture to the old
    centre = (size - 1.0) / 2.0
    shift = centre - _product(back, centre)
    transform = tf.stack([back[1, 1], back[1, 0], shift[1], back[0, 1], back[0, 0], shift[0], 0.0, 0.0])
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[tf.newaxis],
        transforms=transform[tf.newaxis],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(tf.cast(tf.round(turned[0]), tf.uint8), [None, None, 3])
