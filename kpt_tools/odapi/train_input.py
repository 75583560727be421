"""The training input: the OD API's own reading, decoding and augmentation, with less work per picture.

The OD API augments pictures at their full size and resizes them at the end. Here they are resized once they are
decoded, by the model's own resizer, so that each network input has the same pixels; and where all of them fit into a
little memory they are kept, so that they are decoded once and not once per epoch. Where they do not, large JPEGs are
decoded at a fraction of their size (`reduced_decoding`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kpt_tools.odapi import reduced_decoding, rotation
from kpt_tools.odapi.pipeline_config import Message

KEPT_SHUFFLED = 512
"""Pictures that are shuffled at a time, where decoded pictures are kept."""

_COMMUTING = frozenset(
    {
        "random_horizontal_flip",
        "random_vertical_flip",
        "random_rotation90",
        "random_adjust_brightness",
        "random_adjust_contrast",
        "random_adjust_hue",
        "random_adjust_saturation",
        "random_distort_color",
        "random_pixel_value_scale",
        "random_rgb_to_gray",
    }
)
"""Augmentations that do the same before and after resizing. Others may enlarge a part of the picture: for them,
pictures keep twice the size of the network's input."""

_SEQUENCES = 2
"""TF_SEQUENCE_EXAMPLE of the readers' ``input_type``."""

Resize = Callable[[Any], Any]
Decode = Callable[[Any], Any]


def augmentations(train_config: Message) -> frozenset[str]:
    """The names of the OD API's augmentations."""
    return frozenset(option.WhichOneof("preprocessing_step") for option in train_config.data_augmentation_options)


def scale_of(train_config: Message) -> int:
    """How many times the network's input early resized pictures are, for what augmentation does to them."""
    return 1 if augmentations(train_config) <= _COMMUTING else 2


def resized_hw(resizer: Message, scale: int) -> tuple[int, int] | None:
    """The largest height and width after early resizing; None for a resizer that is not done early."""
    kind = resizer.WhichOneof("image_resizer_oneof")
    if kind == "keep_aspect_ratio_resizer" and not resizer.keep_aspect_ratio_resizer.convert_to_grayscale:
        side = int(resizer.keep_aspect_ratio_resizer.max_dimension) * scale
        return side, side
    if kind == "fixed_shape_resizer" and not resizer.fixed_shape_resizer.convert_to_grayscale:
        return int(resizer.fixed_shape_resizer.height) * scale, int(resizer.fixed_shape_resizer.width) * scale
    return None


def early_resize(resizer: Message, scale: int) -> Resize | None:
    """A function that makes a picture [H, W, 3] uint8 smaller, and leaves one alone that is small enough.

    Args:
        resizer: the model's image_resizer.
        scale: see `scale_of`.

    Returns:
        None for a resizer that is not done early.
    """
    import tensorflow as tf
    from object_detection.builders import image_resizer_builder

    limit = resized_hw(resizer, scale)
    if limit is None:
        return None
    wanted = type(resizer)()
    wanted.CopyFrom(resizer)
    if wanted.WhichOneof("image_resizer_oneof") == "fixed_shape_resizer":
        wanted.fixed_shape_resizer.height, wanted.fixed_shape_resizer.width = limit
    else:
        wanted.keep_aspect_ratio_resizer.min_dimension *= scale
        wanted.keep_aspect_ratio_resizer.max_dimension *= scale
        wanted.keep_aspect_ratio_resizer.pad_to_max_dimension = False
    resize = image_resizer_builder.build(wanted)

    def smaller(image: Any) -> Any:
        resized = resize(tf.cast(image, tf.float32))[0]
        return tf.ensure_shape(tf.cast(tf.round(resized), tf.uint8), [None, None, 3])

    def shrink(image: Any) -> Any:
        height, width = tf.shape(image)[0], tf.shape(image)[1]
        larger = (
            tf.logical_and(height > limit[0], width > limit[1])
            if wanted.WhichOneof("image_resizer_oneof") == "fixed_shape_resizer"
            else tf.maximum(height, width) > limit[0]
        )
        return tf.cond(larger, lambda: smaller(image), lambda: tf.ensure_shape(image, [None, None, 3]))

    return shrink


def dataset_builder(
    resizer: Message, train_config: Message, *, keep_decoded: bool, degrees: float = 0.0
) -> Callable[..., Any]:
    """What `object_detection.inputs.train_input` is to use in place of `dataset_builder.build`.

    Args:
        resizer: the model's image_resizer.
        train_config: with the augmentations.
        keep_decoded: all pictures fit into memory, decoded and resized.
        degrees: pictures are turned by up to so many before the OD API's own augmentation, and zoomed unless that
            crops.
    """
    from object_detection.builders import dataset_builder as theirs

    scale = scale_of(train_config)
    limit, shrink = resized_hw(resizer, scale), early_resize(resizer, scale)

    def build(
        reader: Message,
        batch_size: int | None = None,
        transform_input_data_fn: Any = None,
        input_context: Any = None,
        reduce_to_frame_fn: Any = None,
    ) -> Any:
        transform = _turning(transform_input_data_fn, degrees, zoom=scale == 1) if degrees else transform_input_data_fn
        if limit is None or shrink is None or batch_size is None or _is_special(reader):
            return theirs.build(reader, batch_size, transform, input_context, reduce_to_frame_fn)
        if input_context is not None:
            batch_size = input_context.get_per_replica_batch_size(batch_size)
        decode = _decode(reader, shrink, None if keep_decoded else max(limit))
        return _dataset(reader, batch_size, transform, decode, keep_decoded)

    return build


def _turning(transform: Callable[[Any], Any], degrees: float, *, zoom: bool) -> Callable[[Any], Any]:
    return lambda tensors: transform(rotation.rotate(tensors, degrees, zoom=zoom))


def _is_special(reader: Message) -> bool:
    """Whether a reader asks for what is left to the OD API."""
    records = reader.tf_record_input_reader
    return bool(
        reader.WhichOneof("input_reader") != "tf_record_input_reader"
        or reader.input_type == _SEQUENCES
        or not records.input_path
        or reader.load_instance_masks
        or reader.load_context_features
        or reader.num_additional_channels
        or reader.sample_1_of_n_examples > 1
        or reader.sample_from_datasets_weights
        or reader.num_epochs
    )


def _decode(reader: Message, shrink: Resize, least_px: int | None) -> Decode:
    """What makes tensors of a record, with a picture that is small enough.

    Args:
        reader: what to read.
        shrink: makes pictures small.
        least_px: JPEGs may be decoded at a fraction of their size, if their longer side stays twice that; None: not.
    """
    from object_detection.builders import decoder_builder
    from object_detection.core import standard_fields

    decoder = decoder_builder.build(reader)
    if least_px is not None:
        reduced_decoding.reduce(decoder, reduced_decoding.least_side(least_px))

    def decode(record: Any) -> Any:
        tensors = decoder.decode(record)
        image = standard_fields.InputDataFields.image
        return {**tensors, image: shrink(tensors[image])}

    return decode


def _dataset(reader: Message, batch_size: int, transform: Any, decode: Decode, keep_decoded: bool) -> Any:
    import tensorflow as tf
    from object_detection.builders import dataset_builder as theirs

    files = sorted({name for pattern in reader.tf_record_input_reader.input_path for name in tf.io.gfile.glob(pattern)})
    if keep_decoded:
        pictures = tf.data.TFRecordDataset(files)
        pictures = pictures.shuffle(reader.shuffle_buffer_size) if reader.shuffle else pictures
        pictures = pictures.map(decode, tf.data.AUTOTUNE).cache()
        pictures = (pictures.shuffle(KEPT_SHUFFLED) if reader.shuffle else pictures).repeat()
    else:
        fewer_readers = type(reader)()
        fewer_readers.CopyFrom(reader)
        fewer_readers.num_readers = min(reader.num_readers, len(files))  # each more would read a file once again
        pictures = theirs.read_dataset(tf.data.TFRecordDataset, files, fewer_readers)
        pictures = pictures.map(decode, tf.data.AUTOTUNE)
    batches = pictures.map(transform, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=reader.drop_remainder)
    return batches.prefetch(reader.num_prefetch_batches)
