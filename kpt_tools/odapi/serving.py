"""A CenterNet for use: its weights from a checkpoint, and functions that take pictures in any number.

The OD API's own exporter writes one signature, and that for one picture: `CenterNetMetaArch.postprocess` loops over the
batch in Python and fixes shapes with its size ("ensure_shape" with a tensor, "Cannot infer argument `num`"). Here the
network runs on the whole batch, and that postprocess, unchanged, on one picture after the other inside `tf.map_fn`,
where the batch has the size 1 that it can deal with.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kpt_tools.odapi import decoding
from kpt_tools.odapi.box_neighbours import is_marked, mark
from kpt_tools.odapi.pipeline_config import Message

UINT8_SIGNATURE = "serving_default"
FLOAT_SIGNATURE = "float_image_tensor"
ENCODED_SIGNATURE = "encoded_image_string_tensor"
INPUT_NAME = "input_tensor"

_LABEL_ID_OFFSET = 1
_PARALLEL_PICTURES = 8
_CHECKPOINT_NUMBER = 0


def restored_model(config: Message, checkpoint: Path) -> Any:
    """Build the detection model of `config` and give it the weights of a checkpoint.

    It decodes as `decoding` says.

    Args:
        config: a pipeline.config.
        checkpoint: path without suffix.

    Raises:
        AssertionError: TensorFlow found a variable of the model that the checkpoint does not have.
    """
    import tensorflow as tf
    from object_detection.builders import model_builder

    model = model_builder.build(config.model, is_training=False)
    images, shapes = model.preprocess(tf.zeros([1, 64, 64, 3]))
    model.predict(images, shapes)  # only now all variables exist
    tf.train.Checkpoint(model=model).read(str(checkpoint)).expect_partial().assert_existing_objects_matched()
    if is_marked(checkpoint):
        mark(model)
    decoding.refine(model)
    return model


def detect_one(model: Any, heads: dict[str, Any], true_shape: Any) -> dict[str, Any]:
    """The OD API's postprocess for one picture.

    Args:
        model: the detection model.
        heads: maps of the last stage by head name, each [h, w, channels].
        true_shape: [3] int32, the size of the picture without padding, after resizing.

    Returns:
        The OD API's outputs without a batch axis, float32; classes count from 1.
    """
    import tensorflow as tf

    batch = {name: [value[tf.newaxis]] for name, value in heads.items()}
    found = model.postprocess(batch, true_shape[tf.newaxis])
    found["detection_classes"] = tf.cast(found["detection_classes"], tf.float32) + _LABEL_ID_OFFSET
    return {name: tf.cast(value[0], tf.float32) for name, value in found.items()}


def head_maps(model: Any, images: Any, true_shapes: Any) -> dict[str, Any]:
    """The maps of the last stage by head name, each [N, h, w, channels], of preprocessed images."""
    predictions = model.predict(images, true_shapes)
    return {name: predictions[name][-1] for name in model.prediction_head_dict}


def map_pictures(function: Callable[[Any], Any], elements: Any) -> Any:
    """`tf.map_fn` over the first axis, whose size may be unknown, keeping the static shapes of one picture.

    Args:
        function: takes the elements of one picture and returns a structure of tensors.
        elements: a structure of tensors with the same first axis.
    """
    import tensorflow as tf

    traced = tf.function(function, autograph=False)
    of_one = tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape[1:], value.dtype), elements)
    outputs = traced.get_concrete_function(of_one).structured_outputs
    specs = tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape, value.dtype), outputs)
    return tf.map_fn(traced, elements, fn_output_signature=specs, parallel_iterations=_PARALLEL_PICTURES)


def decode_picture(encoded: Any) -> Any:
    """JPEG (with the exact DCT, as Pillow decodes it), PNG, BMP or the first frame of a GIF: [H, W, 3] uint8."""
    import tensorflow as tf

    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _preprocessed(model: Any, image: Any) -> tuple[Any, Any]:
    """What the network takes for a picture [H, W, 3], and [3] int32, the size of the picture in it."""
    import tensorflow as tf

    images, true_shapes = model.preprocess(tf.cast(image, tf.float32)[tf.newaxis])
    return images[0], true_shapes[0]


def serving_module(model: Any) -> tuple[Any, dict[str, Any]]:
    """A `tf.Module` to save, and its signatures by name.

    It holds the variables of `model` and nothing else of it: saving a Keras model also writes every layer's own
    functions, which nobody calls and which take most of the time to load. The network is traced once for all
    signatures.
    """
    import tensorflow as tf

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def detect(images: Any, true_shapes: Any) -> Any:
        maps = head_maps(model, images, true_shapes)
        return map_pictures(lambda one: detect_one(model, *one), (maps, true_shapes))

    def signature(first: Callable[[Any], Any], shape: list[int | None], dtype: Any) -> Any:
        spec = tf.TensorSpec(shape, dtype, name=INPUT_NAME)

        def call(input_tensor: Any) -> Any:
            return detect(*map_pictures(lambda one: _preprocessed(model, first(one)), input_tensor))

        return tf.function(call, input_signature=[spec], autograph=False)

    module = tf.Module()
    module.model_variables = list(model.variables)
    module.__call__ = signature(tf.identity, [None, None, None, 3], tf.uint8)
    module.from_float = signature(tf.identity, [None, None, None, 3], tf.float32)
    module.from_encoded = signature(decode_picture, [None], tf.string)
    return module, {
        UINT8_SIGNATURE: module.__call__,
        FLOAT_SIGNATURE: module.from_float,
        ENCODED_SIGNATURE: module.from_encoded,
    }


def save(model: Any, folder: Path) -> None:
    """Write ``folder/saved_model`` and ``folder/checkpoint``, as the OD API's exporter lays them out."""
    import tensorflow as tf

    module, signatures = serving_module(model)
    concrete = {name: function.get_concrete_function() for name, function in signatures.items()}
    checkpoint = tf.train.Checkpoint(model=model)
    manager = tf.train.CheckpointManager(checkpoint, str(folder / "checkpoint"), max_to_keep=1)
    manager.save(checkpoint_number=_CHECKPOINT_NUMBER)
    tf.saved_model.save(module, str(folder / "saved_model"), signatures=concrete)


def original(model: Any) -> Callable[[Any], dict[str, Any]]:
    """The detector as the OD API runs it in training and evaluation: one picture, nothing exported.

    Returns:
        A function from [H, W, 3] uint8 to the OD API's outputs as arrays without a batch axis; classes count from 1.
    """
    import tensorflow as tf

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(images: Any, true_shapes: Any) -> Any:
        return model.postprocess(model.predict(images, true_shapes), true_shapes)

    def detect(image: Any) -> dict[str, Any]:
        images, true_shapes = model.preprocess(tf.cast(image, tf.float32)[tf.newaxis])
        found = {name: value.numpy()[0] for name, value in run(images, true_shapes).items()}
        found["detection_classes"] = found["detection_classes"] + _LABEL_ID_OFFSET
        return found

    return detect
