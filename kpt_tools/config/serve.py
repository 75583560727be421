"""Configuration of `kpt-tools serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError


@dataclass(frozen=True)
class ServeConfig:
    """Which model to serve, to whom, and at what cost at most.

    Attributes:
        model: an exported folder, or a run folder that holds one as ``export``.
        host: address to listen at; by default this machine only.
        port: 0: a free one.
        min_score: detections below are left out.
        min_keypoint_score: points below are written as not labelled, and not drawn.
        confident_keypoint_score: points from here on are written as visible (v = 2), weaker ones as hidden (v = 1).
        max_detections: at most so many per picture, best first.
        max_upload_mb: largest upload.
        max_megapixels: largest picture.
        max_waiting: pictures that may wait for the model.
        allow_origin: web pages elsewhere that may use the server from a browser.
    """

    model: Path = Path("runs/train/export")
    host: str = "127.0.0.1"
    port: int = 5005
    min_score: float = InferConfig.min_score
    min_keypoint_score: float = InferConfig.min_keypoint_score
    confident_keypoint_score: float = InferConfig.confident_keypoint_score
    max_detections: int = InferConfig.max_detections
    max_upload_mb: float = 20.0
    max_megapixels: float = 50.0
    max_waiting: int = 8
    allow_origin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        for name in ("min_score", "min_keypoint_score", "confident_keypoint_score"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number from 0 to 1.")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}; expected 0 to 65535.")
        for name in ("max_upload_mb", "max_megapixels"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected more than 0.")
        if self.max_detections < 1 or self.max_waiting < 0:
            raise ConfigError("max_detections must be at least 1, max_waiting at least 0.")
        for origin in self.allow_origin:
            _check_origin(origin)


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise ConfigError(f"--allow-origin {origin}: expected scheme, host and port, such as http://192.168.1.5:5000.")
