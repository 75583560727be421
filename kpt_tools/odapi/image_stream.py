"""Pictures on their way to a child process: height and width as two 32-bit numbers, then the pixels, one after another.

They go through a pipe because decoded pictures are large: a thousand photographs would not fit beside a run.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from kpt_tools.errors import EngineError

Image = npt.NDArray[np.uint8]
"""[H, W, 3], red first."""

_SIZE = struct.Struct("<II")
_CHANNELS = 3


def packed(images: Iterable[Image]) -> Iterator[bytes]:
    """The bytes of each picture.

    Raises:
        ValueError: not a [H, W, 3] uint8 array.
    """
    for image in images:
        if image.ndim != 3 or image.shape[2] != _CHANNELS or image.dtype != np.uint8:
            raise ValueError(f"expected [H, W, 3] uint8, got {list(image.shape)} {image.dtype}")
        yield _SIZE.pack(*image.shape[:2]) + image.tobytes()


def unpacked(stream: IO[bytes]) -> Iterator[Image]:
    """The pictures of a stream, until it ends.

    Raises:
        EngineError: it ends in the middle of a picture.
    """
    while head := stream.read(_SIZE.size):
        size = _SIZE.unpack(head) if len(head) == _SIZE.size else (0, 0)
        pixels = stream.read(size[0] * size[1] * _CHANNELS)
        if not pixels or len(pixels) != size[0] * size[1] * _CHANNELS:
            raise EngineError(f"the stream of pictures ends after {len(pixels)} bytes of one of {size[1]}x{size[0]}.")
        yield np.frombuffer(pixels, np.uint8).reshape(*size, _CHANNELS)
