"""A CenterNet as one graph of fixed size, from pixels to detections, that other formats can be made of.

The road is that of the OD API's ``export_tflite_graph_lib_tf2`` with ``include_keypoints``: a resizer of fixed size
(the keep-aspect resizer cannot be converted), batch 1, and the OD API's own postprocess in the graph. Names and class
ids are those of the SavedModel (ids from 1) instead of a reversed tuple with ids from 0.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from kpt_tools.config.network_input import INPUT_NAME, NetworkInput
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import sparse_detection
from kpt_tools.odapi.pipeline_config import Message

_LABEL_ID_OFFSET = 1
_OUTPUTS = (
    "detection_boxes",
    "detection_classes",
    "detection_scores",
    "detection_keypoints",
    "detection_keypoint_scores",
    "num_detections",
)


def network_input_of(config: Message, source: str) -> NetworkInput:
    """How a picture becomes the input of this model's network.

    Raises:
        ConfigError: its resizer gives no fixed size, or resizes in a way that is not supported.
    """
    resizer = config.model.center_net.image_resizer
    kind = resizer.WhichOneof("image_resizer_oneof")
    if kind not in ("fixed_shape_resizer", "keep_aspect_ratio_resizer"):
        raise ConfigError(f"{source}: image_resizer is {kind}; only one with a fixed size can be converted.")
    settings = getattr(resizer, kind)
    problems = {
        "convert_to_grayscale is on": settings.convert_to_grayscale,
        "resize_method is not BILINEAR": settings.resize_method != 0,
        "pad_to_max_dimension is off, so the size changes from picture to picture": (
            kind == "keep_aspect_ratio_resizer" and not settings.pad_to_max_dimension
        ),
    }
    for problem, holds in problems.items():
        if holds:
            raise ConfigError(f"{source}: {kind}: {problem}; such a model stays a SavedModel, it cannot be converted.")
    clips = [task.clip_out_of_frame_keypoints for task in config.model.center_net.keypoint_estimation_task]
    clip = bool(clips) and all(clips)
    if kind == "fixed_shape_resizer":
        return NetworkInput((settings.height, settings.width), clip_keypoints=clip)
    side = settings.max_dimension
    red, green, blue = settings.per_channel_pad_value or (0.0, 0.0, 0.0)
    return NetworkInput((side, side), settings.min_dimension, (red, green, blue), clip)


def fixed_config(config: Message, network: NetworkInput, label_map: Path) -> Message:
    """A copy of `config` whose model takes exactly the network's input and leaves keypoints where they are."""
    fixed = type(config)()
    fixed.CopyFrom(config)
    center_net = fixed.model.center_net
    center_net.image_resizer.Clear()
    center_net.image_resizer.fixed_shape_resizer.height = network.input_hw[0]
    center_net.image_resizer.fixed_shape_resizer.width = network.input_hw[1]
    for task in center_net.keypoint_estimation_task:
        task.clip_out_of_frame_keypoints = False  # the picture's border is not known in the graph
    center_net.keypoint_label_map_path = str(label_map)
    return fixed


def save(model: Any, network: NetworkInput, folder: Path) -> None:
    """Write the model as a SavedModel with the one input ``image``, float32 [1, H, W, 3] from 0 to 255.

    Args:
        model: of `fixed_config`, with its weights.
        network: height and width of the input.
        folder: to make.
    """
    import tensorflow as tf

    model._postprocess_keypoints_multi_class = functools.partial(_keypoints_of_all_classes, model)
    spec = tf.TensorSpec([1, *network.input_hw, 3], tf.float32, name=INPUT_NAME)

    def call(image: Any) -> dict[str, Any]:
        images, true_shapes = model.preprocess(image)
        found = sparse_detection.detect(model, images, true_shapes)
        found["detection_classes"] = tf.cast(found["detection_classes"], tf.float32) + _LABEL_ID_OFFSET
        return {name: tf.cast(found[name], tf.float32) for name in _OUTPUTS if name in found}

    module = tf.Module()
    module.model_variables = list(model.variables)
    module.__call__ = tf.function(call, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())


def _keypoints_of_all_classes(
    model: Any, predictions: Any, classes: Any, y_indices: Any, x_indices: Any, boxes: Any, num_detections: Any
) -> tuple[Any, Any]:
    """What `CenterNetMetaArch._postprocess_keypoints_multi_class` computes, with fixed shapes.

    The OD API gathers the objects of each class, of which there can be none, and scatters their points back; ONNX
    Runtime and TFLite cannot do that with empty lists. Each object's points do not depend on the other objects, so here
    every class' points are computed for every object, and kept where the class is right; the other slots are 0.

    Returns:
        Keypoints [1, N, S, 2] and scores [1, N, S], as the OD API's.
    """
    import tensorflow as tf

    slots: dict[int, tuple[Any, Any]] = {}
    valid = tf.range(classes.shape[1]) < num_detections[0]
    for task, params in model._kp_params_dict.items():
        heads = [predictions[f"{task}/{head}"][-1] for head in _KEYPOINT_HEADS]
        points, scores, _ = model._postprocess_keypoints_for_class_and_image(
            *heads, classes, y_indices, x_indices, boxes, 0, params
        )
        mine = tf.cast(valid & (classes[0] == params.class_id), tf.float32)
        for position, slot in enumerate(params.keypoint_indices):
            slots[slot] = points[:, :, position] * mine[tf.newaxis, :, tf.newaxis], scores[:, :, position] * mine
    ordered = [slots[slot] for slot in sorted(slots)]
    return tf.stack([one[0] for one in ordered], axis=2), tf.stack([one[1] for one in ordered], axis=2)


_KEYPOINT_HEADS = ("keypoint/heatmap", "keypoint/offset", "keypoint/regression")
