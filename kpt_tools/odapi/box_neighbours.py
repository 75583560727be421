"""A box is what the cells around its centre say together, not one of them alone.

CenterNet supervises size and offset of a box in the one cell that holds its centre (Zhou et al. 2019, "Objects as
Points", arXiv:1904.07850), so that of a small data set the network sees few targets. Here the eight cells around it
learn the same box, each with its own offset, and detection takes the mean of all nine, as for keypoints
(`keypoint_refinement`). TTFNet (Liu et al. 2019, arXiv:1909.00700) supervises boxes around the centre, too.

A model that was trained so carries a mark into its checkpoints; others are decoded as the OD API decodes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.odapi.offset_average import MOVES, averaged, mean

WEIGHT = 3.0
"""Weight of the nine cells of a box together, where the OD API's one cell has 1. Found by trial: with 1 nothing is
gained, with 3 boxes get better and keypoints no worse."""

_ATTRIBUTE = "box_cells"
_KEY = f"model/{_ATTRIBUTE}/.ATTRIBUTES/VARIABLE_VALUE"


def supervise(model: Any) -> None:
    """Let the cells around the centres of boxes learn, too, and mark the model for its checkpoints.

    Args:
        model: the detection model of the OD API, which is changed.
    """
    from object_detection.meta_architectures import center_net_meta_arch as arch

    assigner = model._target_assigner_dict.get(arch.DETECTION_TASK)
    if assigner is None:
        return
    assign, stride = assigner.assign_size_and_offset_targets, assigner._stride

    def with_neighbours(height: Any, width: Any, **params: Any) -> Any:
        import tensorflow as tf

        cells = tf.stack([tf.maximum(height // stride, 1), tf.maximum(width // stride, 1)])
        return spread(assign(height=height, width=width, **params), cells)

    assigner.assign_size_and_offset_targets = with_neighbours
    mark(model)


def spread(targets: tuple[Any, Any, Any, Any], cells: Any) -> tuple[Any, Any, Any, Any]:
    """Targets of the cells of centres, and of those around them.

    Args:
        targets: of N boxes: [N, 3] int32 (picture, y, x of the cell), [N, 2] height and width in cells, [N, 2] offset y
            and x from the cell to the centre, [N] weights.
        cells: [2] int32, rows and columns of the map.

    Returns:
        The same of 9 N cells. Cells outside the map have weight 0.
    """
    import tensorflow as tf

    indices, sizes, offsets, weights = targets
    moves = tf.constant(MOVES, tf.int32)
    places = indices[:, tf.newaxis, 1:] + moves
    inside = tf.reduce_all((places >= 0) & (places < cells), axis=-1)
    pictures = tf.repeat(indices[:, :1], len(MOVES), axis=0)
    places = tf.reshape(tf.clip_by_value(places, 0, cells - 1), [-1, 2])
    new_offsets = offsets[:, tf.newaxis] - tf.cast(moves, offsets.dtype)
    new_weights = tf.where(inside, weights[:, tf.newaxis] * (WEIGHT / len(MOVES)), 0.0)
    return (
        tf.concat([pictures, places], axis=1),
        tf.repeat(sizes, len(MOVES), axis=0),
        tf.reshape(new_offsets, [-1, 2]),
        tf.reshape(new_weights, [-1]),
    )


def mark(model: Any) -> None:
    """Say in all checkpoints of the model that its boxes are supervised in nine cells."""
    import tensorflow as tf

    setattr(model, _ATTRIBUTE, tf.Variable(len(MOVES), trainable=False, dtype=tf.int32, name=_ATTRIBUTE))


def is_marked(checkpoint: Path) -> bool:
    """Whether a checkpoint (its path without suffix) is of a model that was trained with `supervise`."""
    import tensorflow as tf

    return bool(tf.train.load_checkpoint(str(checkpoint)).has_tensor(_KEY))


def is_supervised(model: Any) -> bool:
    """Whether `mark` was called for a model."""
    return hasattr(model, _ATTRIBUTE)


def average_boxes(model: Any) -> None:
    """Make a CenterNet's postprocess average the boxes of a cell and its neighbours; only where `mark` was called."""
    from object_detection.meta_architectures import center_net_meta_arch as arch

    if not is_supervised(model):
        return
    postprocess = model.postprocess

    def with_averages(prediction_dict: dict[str, Any], true_image_shapes: Any, **params: Any) -> Any:
        sizes = [mean(stage) for stage in prediction_dict[arch.BOX_SCALE]]
        offsets = [averaged(stage) for stage in prediction_dict[arch.BOX_OFFSET]]
        averages = {arch.BOX_SCALE: sizes, arch.BOX_OFFSET: offsets}
        return postprocess({**prediction_dict, **averages}, true_image_shapes, **params)

    model.postprocess = with_averages
