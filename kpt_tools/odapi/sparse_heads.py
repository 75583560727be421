"""In training, heads are computed only in the cells that their losses look at.

CenterNet's losses of box sizes, offsets and keypoint regressions look at a few cells of the map: those around centres
and keypoints. The OD API computes the heads everywhere and then gathers those cells. Here the head's layers are applied
to the features around the cells alone, and the rest of the map, which nothing looks at, is zero. Losses and gradients
are the same but for rounding. Heatmaps are looked at everywhere and stay as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from kpt_tools.odapi.head_cells import is_simple, values


@contextlib.contextmanager
def in_training(model: Any) -> Iterator[None]:
    """Inside the block, the predictions of a CenterNet are good for its loss and for nothing else.

    Args:
        model: a detection model of the OD API that was given the ground truth of the batch; others than CenterNets are
            left as they are.
    """
    from object_detection.meta_architectures import center_net_meta_arch as arch

    if not isinstance(model, arch.CenterNetMetaArch):
        yield
        return
    model.predict = lambda images, _shapes: _predict(model, images)
    try:
        yield
    finally:
        del model.predict


def _predict(model: Any, images: Any) -> dict[str, Any]:
    """What `CenterNetMetaArch.predict` returns, with zeros where no loss looks."""
    features = model._feature_extractor(images)
    height, width = images.shape[1:3]
    looked_at = _cells_of_losses(model, height, width) if height and width else {}
    predictions: dict[str, Any] = {
        name: [_output(head, stage, looked_at.get(name)) for head, stage in zip(heads, features, strict=True)]
        for name, heads in model._prediction_head_dict.items()
    }
    predictions["extracted_features"] = features
    predictions["preprocessed_inputs"] = images
    model._batched_prediction_tensor_names = predictions.keys()
    return predictions


def _cells_of_losses(model: Any, height: int, width: int) -> dict[str, Any]:
    """For each head whose loss looks at few cells: [N, 3 or 4] int32, picture, y and x of each first.

    A head whose loss may look at as many cells as the maps of the batch have is not among them, as in crowds: that
    many cost more one by one.
    """
    from object_detection.core.standard_fields import BoxListFields as Fields
    from object_detection.meta_architectures import center_net_meta_arch as arch

    boxes = {"gt_boxes_list": model.groundtruth_lists(Fields.boxes)}
    shared = {"height": height, "width": width, "gt_weights_list": model.groundtruth_lists(Fields.weights)}
    of_maps = len(boxes["gt_boxes_list"]) * (height // model._stride) * (width // model._stride)
    found: dict[str, Any] = {}
    assigner = model._target_assigner_dict.get(arch.DETECTION_TASK)
    if assigner is not None:
        cells = assigner.assign_size_and_offset_targets(**shared, **boxes)[0]
        if _most(cells) < of_maps:
            found |= {arch.BOX_SCALE: cells, arch.BOX_OFFSET: cells}
    for task, params in (model._kp_params_dict or {}).items():
        assigner, keypoints = model._target_assigner_dict[task], len(params.keypoint_indices)
        objects = {
            "gt_keypoints_list": model.groundtruth_lists(Fields.keypoints),
            "gt_classes_list": model.groundtruth_lists(Fields.classes),
            **shared,
        }
        cells = assigner.assign_keypoints_offset_targets(**objects)[0]
        if _most(cells) < of_maps:
            found[arch.get_keypoint_name(task, arch.KEYPOINT_OFFSET)] = cells
        cells = assigner.assign_joint_regression_targets(**objects, **boxes)[0]
        if _most(cells) // keypoints < of_maps:  # They come once for each keypoint.
            found[arch.get_keypoint_name(task, arch.KEYPOINT_REGRESSION)] = cells
    return found


def _most(cells: Any) -> int:
    """How many there may be at most; 0 if that is not known beforehand."""
    return cells.shape[0] or 0


def _output(head: Any, features: Any, cells: Any) -> Any:
    """A head's output where it is looked at; `cells` is None if that is everywhere."""
    if not head.built:
        head(features)  # Makes the variables; the graph drops the rest.
    return head(features) if cells is None or not is_simple(head) else at_cells(head, features, cells)


def at_cells(head: Any, features: Any, cells: Any) -> Any:
    """A head's output in some cells, and zero elsewhere.

    Args:
        head: see `head_cells.is_simple`.
        features: [B, H, W, C] float.
        cells: [N, 3 or more] int32; picture, y and x of each, then anything. Repeated ones are computed once.

    Returns:
        [B, H, W, K] float.
    """
    import tensorflow as tf

    batch, (height, width) = tf.shape(features)[0], features.shape[1:3]
    # As the OD API does: a place outside the map, whose loss has no weight, is whatever cell its number falls on.
    numbers = tf.unique((cells[:, 0] * height + cells[:, 1]) * width + cells[:, 2])[0]
    channels = head.layers[-1].filters
    rows = tf.scatter_nd(numbers[:, tf.newaxis], values(head, features, numbers), [batch * height * width, channels])
    return tf.reshape(rows, [batch, height, width, channels])
