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
    return head(features) if cells is None or not _is_simple(head) else at_cells(head, features, cells)


def _is_simple(head: Any) -> bool:
    """Whether a head is a convolution, ReLU, and a convolution of 1 x 1, which `at_cells` knows to compute."""
    import tensorflow as tf

    layers: Any = getattr(head, "layers", ())
    if [type(layer) for layer in layers] != [tf.keras.layers.Conv2D, tf.keras.layers.ReLU, tf.keras.layers.Conv2D]:
        return False
    first, relu, last = layers
    return bool(
        last.kernel_size == (1, 1)
        and all(side % 2 for side in first.kernel_size)
        and first.padding == "same"
        and all(_is_plain(layer) for layer in (first, last))
        and relu.get_config() == tf.keras.layers.ReLU(name=relu.name).get_config()
    )


def _is_plain(convolution: Any) -> bool:
    import tensorflow as tf

    return bool(
        convolution.strides == convolution.dilation_rate == (1, 1)
        and convolution.groups == 1
        and convolution.use_bias
        and convolution.data_format == "channels_last"
        and convolution.activation is tf.keras.activations.linear
    )


def at_cells(head: Any, features: Any, cells: Any) -> Any:
    """A head's output in some cells, and zero elsewhere.

    Args:
        head: see `_is_simple`.
        features: [B, H, W, C] float.
        cells: [N, 3 or more] int32; picture, y and x of each, then anything. Repeated ones are computed once.

    Returns:
        [B, H, W, K] float.
    """
    import tensorflow as tf

    first, _, last = head.layers
    batch, (height, width) = tf.shape(features)[0], features.shape[1:3]
    # As the OD API does: a place outside the map, whose loss has no weight, is whatever cell its number falls on.
    numbers = tf.unique((cells[:, 0] * height + cells[:, 1]) * width + cells[:, 2])[0]
    patches = _patches(features, numbers, first.kernel_size)
    hidden = tf.nn.relu(tf.matmul(patches, tf.reshape(first.kernel, [-1, first.filters])) + first.bias)
    values = tf.matmul(hidden, tf.reshape(last.kernel, [-1, last.filters])) + last.bias
    rows = tf.scatter_nd(numbers[:, tf.newaxis], values, [batch * height * width, last.filters])
    return tf.reshape(rows, [batch, height, width, last.filters])


def _patches(features: Any, numbers: Any, size: tuple[int, int]) -> Any:
    """[N, rows * columns * C]: the features around cells that are numbered through the batch, zero outside the map."""
    import tensorflow as tf

    _, height, width, channels = features.shape
    down, right = size[0] // 2, size[1] // 2
    padded = tf.pad(features, [[0, 0], [down, down], [right, right], [0, 0]])
    padded_width, padded_height = width + 2 * right, height + 2 * down
    picture, cell = numbers // (height * width), numbers % (height * width)
    corners = (picture * padded_height + cell // width) * padded_width + cell % width
    inside = tf.range(size[0])[:, tf.newaxis] * padded_width + tf.range(size[1])
    places = corners[:, tf.newaxis] + tf.reshape(inside, [1, -1])
    found = tf.gather(tf.reshape(padded, [-1, channels]), places)
    return tf.reshape(found, [-1, size[0] * size[1] * channels])
