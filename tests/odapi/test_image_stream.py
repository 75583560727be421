from __future__ import annotations

import io

import numpy as np
import pytest

from kpt_tools.errors import EngineError
from kpt_tools.odapi.image_stream import packed, unpacked


def pictures() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((5, 7), (1, 1), (300, 200))]


def test_round_trip() -> None:
    back = list(unpacked(io.BytesIO(b"".join(packed(pictures())))))
    assert len(back) == 3
    for one, other in zip(pictures(), back, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_picture() -> None:
    assert list(unpacked(io.BytesIO())) == []


@pytest.mark.parametrize("cut", [3, 8, 50], ids=["in the size", "after it", "in the pixels"])
def test_a_cut_stream_is_refused(cut: int) -> None:
    with pytest.raises(EngineError, match=r"the stream of pictures ends after \d+ bytes of one of"):
        list(unpacked(io.BytesIO(b"".join(packed(pictures()))[:cut])))


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_refuses_other_arrays(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected \[H, W, 3\] uint8"):
        list(packed([image]))
