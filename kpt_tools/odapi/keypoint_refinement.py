"""A keypoint is where its heatmap's peak and the cells around it say together, not one cell alone.

In training, each cell within ``offset_peak_radius`` of a keypoint learns its own offset to it (Zhou et al. 2019,
"Objects as Points", arXiv:1904.07850, learns one cell; the radius is the OD API's). The OD API's decoding then reads
the offset of the peak's cell only. The mean over the peak and its eight neighbours is as unbiased and less noisy. The
heatmap says on its own where between its cells the peak is: at the top of the parabola through a cell and its two
neighbours, as Zhang et al. 2020, "Distribution-Aware Coordinate Representation", arXiv:1910.06278, decode heatmaps,
here along each axis and of logits. The two err differently, so detection takes the mean of both.
"""

from __future__ import annotations

from typing import Any

from kpt_tools.odapi.offset_average import WINDOW, averaged, averaged_at


def refine_keypoints(model: Any) -> None:
    """Make a CenterNet place keypoints by `refined`, where its training gave the neighbours offsets of their own.

    That is where ``per_keypoint_offset`` is on and ``offset_peak_radius`` is at least 2; the rest is left as it is.

    Args:
        model: the detection model of the OD API, which is changed.
    """
    heads = refined_heads(model)
    if not heads:
        return
    postprocess = model.postprocess

    def with_refined(prediction_dict: dict[str, Any], true_image_shapes: Any, **params: Any) -> Any:
        offsets = {
            name: [refined(*stages) for stages in zip(prediction_dict[name], prediction_dict[heatmap], strict=True)]
            for name, heatmap in heads.items()
        }
        return postprocess({**prediction_dict, **offsets}, true_image_shapes, **params)

    model.postprocess = with_refined


def refined_heads(model: Any) -> dict[str, str]:
    """The heatmap's head by the head of the offsets that are refined."""
    from object_detection.meta_architectures import center_net_meta_arch as arch

    return {
        arch.get_keypoint_name(task, arch.KEYPOINT_OFFSET): arch.get_keypoint_name(task, arch.KEYPOINT_HEATMAP)
        for task, params in (model._kp_params_dict or {}).items()
        if params.per_keypoint_offset and params.offset_peak_radius > WINDOW // 2
    }


def refined(offsets: Any, heatmap: Any) -> Any:
    """The mean of what `averaged` and `peak_offsets` say.

    Args:
        offsets: [N, h, w, 2 K] float32, y and x per keypoint in cells.
        heatmap: [N, h, w, K] float32, logits.

    Returns:
        [N, h, w, 2 K].
    """
    return (averaged(offsets) + peak_offsets(heatmap)) / 2


def refined_at(around: Any, inside: Any, heatmap: Any, rows: Any, columns: Any) -> Any:
    """What `refined` has in some cells of one picture.

    Args:
        around: [P, 9, 2 K] float32, the offsets in and around each cell, as `offset_average.averaged_at` takes them.
        inside: [P, 9] bool, which of them are in the map.
        heatmap: [1, h, w, K] float32, logits; h and w are known.
        rows: [P] int32.
        columns: [P] int32.

    Returns:
        [P, 2 K].
    """
    return (averaged_at(around, inside) + peak_offsets_at(heatmap, rows, columns)) / 2


def peak_offsets(heatmap: Any) -> Any:
    """Where a peak is in its cell: at the top of the parabola through the cell and its two neighbours on each axis.

    Args:
        heatmap: [N, h, w, K] float32, logits; h and w are at least 2.

    Returns:
        [N, h, w, 2 K], y and x from the cell's corner, 0 to 1; 0.5 is its middle. So it is where cell and neighbours
        are equal, and along the axis that leads out of the map for cells at its border. Of cells that are no peaks
        it only says to which side the map rises.
    """
    import tensorflow as tf

    padded = tf.pad(heatmap, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    rows, columns = padded[:, :, 1:-1], padded[:, 1:-1]
    y = _top(heatmap - rows[:, :-2], heatmap - rows[:, 2:])
    x = _top(heatmap - columns[:, :, :-2], heatmap - columns[:, :, 2:])
    pairs = tf.stack([y, x], axis=-1)
    return tf.reshape(pairs, tf.concat([tf.shape(heatmap)[:3], [2 * heatmap.shape[-1]]], axis=0))


def peak_offsets_at(heatmap: Any, rows: Any, columns: Any) -> Any:
    """What `peak_offsets` has in some cells of one picture.

    Args:
        heatmap: [1, h, w, K] float32, logits; h and w are known.
        rows: [P] int32.
        columns: [P] int32.

    Returns:
        [P, 2 K].
    """
    import tensorflow as tf

    _, height, width, keypoints = heatmap.shape
    flat = tf.reshape(heatmap, [height * width, keypoints])

    def at(down: int, right: int) -> Any:
        row = _reflected(rows + down, height) if down else rows
        column = _reflected(columns + right, width) if right else columns
        return tf.gather(flat, row * width + column)

    here = at(0, 0)
    y, x = (_top(here - at(-down, -right), here - at(down, right)) for down, right in ((1, 0), (0, 1)))
    return tf.reshape(tf.stack([y, x], axis=-1), [rows.shape[0], 2 * keypoints])


def _reflected(places: Any, cells: int) -> Any:
    """Places one step outside a map, as far inside it."""
    import tensorflow as tf

    last = cells - 1
    return last - tf.abs(last - tf.abs(places))


def _top(above_last: Any, above_next: Any) -> Any:
    """0 at the border to the last cell to 1 at that to the next, by how far the cell is above both."""
    import tensorflow as tf

    last, following = tf.nn.relu(above_last), tf.nn.relu(above_next)
    return 0.5 + 0.5 * tf.math.divide_no_nan(last - following, last + following)
