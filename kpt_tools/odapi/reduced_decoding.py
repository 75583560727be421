"""JPEGs of the training input decoded at a half, a quarter or an eighth of their size, where the network needs no more.

A JPEG is coded in blocks of frequencies; leaving out the high ones gives a smaller picture for a fraction of the time
(libjpeg's ``scale_denom``), and all that follows (32-bit floats, augmentation, resizing) has fewer pixels to work on.
Boxes and keypoints are shares of the picture, so they stay.
"""

from __future__ import annotations

from typing import Any

_RATIOS = (1, 2, 4, 8)


def least_side(network_px: int, smallest_crop: float = 1.0) -> int:
    """The longer side that a picture needs at least: twice what the network sees of it.

    Args:
        network_px: longer side of the network's input.
        smallest_crop: the smallest share of a picture's side that augmentation may cut out.
    """
    return round(2 * network_px / smallest_crop)


def install(least_px: int) -> None:
    """Let every decoder that is built from now on decode no larger than it must.

    Args:
        least_px: the longer side of a decoded picture is at least this, or that of the picture if it is smaller.
    """
    from object_detection.builders import decoder_builder

    build = decoder_builder.build

    def build_reduced(input_reader_config: Any) -> Any:
        return reduce(build(input_reader_config), least_px)

    decoder_builder.build = build_reduced


def reduce(decoder: Any, least_px: int) -> Any:
    """Make a `TfExampleDecoder` decode no larger than it must; returns it. See `install`."""
    import tensorflow as tf
    from object_detection.core import standard_fields

    handler = decoder.items_to_handlers[standard_fields.InputDataFields.image]
    whole, channels, dct_method = handler._decode, handler._channels, handler._dct_method

    def at_ratio(data: Any, ratio: int) -> Any:
        return tf.io.decode_jpeg(data, channels=channels, ratio=ratio, dct_method=dct_method)

    def reduced(data: Any) -> Any:
        longer = tf.reduce_max(tf.io.extract_jpeg_shape(data)[:2])
        index = tf.add_n([tf.cast(longer >= ratio * least_px, tf.int32) for ratio in _RATIOS[1:]])
        return tf.switch_case(index, [lambda ratio=ratio: at_ratio(data, ratio) for ratio in _RATIOS])

    def decode(data: Any, image_format: Any) -> Any:
        image = tf.cond(tf.io.is_jpeg(data), lambda: reduced(data), lambda: whole(data, image_format))
        image.set_shape([None, None, channels])
        return image

    handler._decode = decode
    return decoder
