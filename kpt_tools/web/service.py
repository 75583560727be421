"""What the server needs of a model, and the ways a request can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kpt_tools.errors import KptToolsError

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "BMP": "image/bmp", "TIFF": "image/tiff"}
"""Pillow's names of the formats that are decoded, and their types; nothing else is opened."""


class Service(Protocol):
    """A model that looks at encoded pictures. Its methods are called in other threads, one at a time."""

    @property
    def model(self) -> Mapping[str, Any]:
        """What the page has to know: name, classes with keypoints, colours and skeleton, thresholds."""

    def predict(self, encoded: bytes, name: str, *, min_score: float | None, with_picture: bool) -> dict[str, Any]:
        """The answer of ``/predict``.

        Args:
            encoded: bytes of an image file.
            name: for messages.
            min_score: leave out detections below; None: the server's own threshold.
            with_picture: add the upright picture as a data URL.

        Raises:
            DataError: the picture cannot be decoded.
            EngineError: the model failed.
        """

    def annotate(self, encoded: bytes, name: str) -> dict[str, Any]:
        """The answer to coco-annotator: ``{"coco": {"images": [...], "categories": [...], "annotations": [...]}}``.

        Raises:
            DataError: the picture cannot be decoded.
            EngineError: the model failed.
        """


@dataclass(frozen=True)
class Limits:
    """What one request may cost.

    Attributes:
        max_bytes: of an uploaded file.
        max_pixels: of a picture.
        max_waiting: requests that wait for the model, beside the one that it works on.
        body_s: seconds in which an upload must have come.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_waiting: int = 8
    body_s: float = 60.0


class RequestError(KptToolsError):
    """A request that is refused; `status` is its HTTP status."""

    status = 400


class TooLarge(RequestError):
    """More bytes or pixels than allowed."""

    status = 413


class Unsupported(RequestError):
    """Not a picture of a known format, or not sent in a known way."""

    status = 415


class TooSlow(RequestError):
    """The upload did not come in time."""

    status = 408


class Busy(RequestError):
    """Too many requests at a time."""

    status = 503
