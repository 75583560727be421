"""A keypoint is where the cells around its peak say together, not one of them alone.

In training, each cell within ``offset_peak_radius`` of a keypoint learns its own offset to it (Zhou et al. 2019,
"Objects as Points", arXiv:1904.07850, learns one cell; the radius is the OD API's). The OD API's decoding then reads
the offset of the peak's cell only. The mean over the peak and its eight neighbours is as unbiased and less noisy.
"""

from __future__ import annotations

from typing import Any

WINDOW = 3
"""Cells on a side of the square that is averaged."""


def average_offsets(model: Any) -> None:
    """Make a CenterNet's postprocess average offsets, where its training gave the neighbours offsets of their own.

    That is where ``per_keypoint_offset`` is on and ``offset_peak_radius`` is at least 2; the rest is left as it is.

    Args:
        model: the detection model of the OD API, which is changed.
    """
    names = _averaged_heads(model)
    if not names:
        return
    postprocess = model.postprocess

    def with_averages(prediction_dict: dict[str, Any], true_image_shapes: Any, **params: Any) -> Any:
        averages = {name: [averaged(stage) for stage in prediction_dict[name]] for name in names}
        return postprocess({**prediction_dict, **averages}, true_image_shapes, **params)

    model.postprocess = with_averages


def _averaged_heads(model: Any) -> list[str]:
    from object_detection.meta_architectures import center_net_meta_arch as arch

    return [
        arch.get_keypoint_name(task, arch.KEYPOINT_OFFSET)
        for task, params in (model._kp_params_dict or {}).items()
        if params.per_keypoint_offset and params.offset_peak_radius > WINDOW // 2
    ]


def averaged(offsets: Any) -> Any:
    """The mean of the positions that a cell and its neighbours point at, as offsets from the cell.

    Args:
        offsets: [N, h, w, 2 K] float32, y and x per keypoint in cells.

    Returns:
        The same shape. At the border the mean is over the cells that there are.
    """
    import tensorflow as tf

    shape = tf.shape(offsets)
    means = tf.nn.avg_pool2d(offsets, WINDOW, strides=1, padding="SAME")
    rows = _towards_inside(shape[1])[tf.newaxis, :, tf.newaxis, tf.newaxis]
    columns = _towards_inside(shape[2])[tf.newaxis, tf.newaxis, :, tf.newaxis]
    ones = tf.ones([1, shape[1], shape[2], 1])
    pairs = tf.concat([rows * ones, columns * ones], axis=-1)
    return means + tf.tile(pairs, [1, 1, 1, offsets.shape[-1] // 2])


def _towards_inside(cells: Any) -> Any:
    """How far the mean place of a cell and its neighbours is from the cell's own: half a cell at the first and last."""
    import tensorflow as tf

    places = tf.range(cells)
    return (tf.cast(places == 0, tf.float32) - tf.cast(places == cells - 1, tf.float32)) / 2
