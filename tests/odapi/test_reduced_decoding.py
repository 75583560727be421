from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from coco_factories import encoded, pixels
from PIL import Image

from kpt_tools.odapi.reduced_decoding import least_side

WIDE = Image.fromarray(pixels(960, 540))


@pytest.mark.parametrize(
    ("network", "crop", "expected"), [(256, 1.0, 512), (512, 0.5, 2048)], ids=["whole pictures", "crops"]
)
def test_twice_what_the_network_sees(network: int, crop: float, expected: int) -> None:
    assert least_side(network, crop) == expected


@pytest.fixture(scope="module")
def decoded() -> Any:
    """Decodes bytes with a `TfExampleDecoder` that needs `least_px`."""
    from kpt_tools.odapi import compat

    compat.activate()
    import tensorflow as tf
    from object_detection.data_decoders.tf_example_decoder import TfExampleDecoder

    from kpt_tools.odapi.reduced_decoding import reduce

    def decode(data: bytes, format: str, least_px: int) -> np.ndarray:
        feature = {
            "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])),
            "image/format": tf.train.Feature(bytes_list=tf.train.BytesList(value=[format.encode()])),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
        decoder = reduce(TfExampleDecoder(), least_px)
        (found,) = tf.data.Dataset.from_tensors(example).map(decoder.decode)
        return found["image"].numpy()

    return decode


@pytest.mark.odapi
@pytest.mark.parametrize(
    ("data", "format", "least_px", "size"),
    [
        (encoded(WIDE), "jpeg", 961, (540, 960)),
        (encoded(WIDE), "jpeg", 481, (540, 960)),
        (encoded(WIDE), "jpeg", 480, (270, 480)),
        (encoded(WIDE), "jpeg", 240, (135, 240)),
        (encoded(WIDE), "jpeg", 10, (68, 120)),
        (encoded(WIDE.convert("L")), "jpeg", 480, (270, 480)),
        (encoded(WIDE, "PNG"), "png", 10, (540, 960)),
    ],
    ids=["small", "not quite twice", "half", "quarter", "eighth", "grey", "png"],
)
def test_jpegs_are_decoded_no_larger_than_needed(
    decoded: Any, data: bytes, format: str, least_px: int, size: tuple[int, int]
) -> None:
    found = decoded(data, format, least_px)
    assert found.shape == (*size, 3)
    picture = Image.open(io.BytesIO(data)).convert("RGB").resize(size[::-1], Image.Resampling.BOX)
    assert np.abs(found.astype(int) - np.asarray(picture)).mean() < 2
