"""An engine that does something to pictures before another one, and to its answers after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from kpt_tools.entities import ModelMetadata
from kpt_tools.inference.engine import Engine, ImageRgb, RawDetections


class EngineAround(ABC):
    """Has everything of the engine that it is made with, but for `detect_batch`."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine."""
        self._engine = engine

    @property
    def metadata(self) -> ModelMetadata:
        """See `Engine`."""
        return self._engine.metadata

    @property
    def batch_size(self) -> int:
        """See `Engine`."""
        return self._engine.batch_size

    @property
    def calls(self) -> int:
        """See `Engine`."""
        return self._engine.calls

    def detect(self, image: ImageRgb) -> RawDetections:
        """See `Engine`."""
        (found,) = self.detect_batch([image])
        return found

    @abstractmethod
    def detect_batch(self, images: Sequence[ImageRgb]) -> list[RawDetections]:
        """See `Engine`."""
