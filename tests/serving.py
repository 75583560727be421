"""A served engine for tests: the real application on a free port."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

from kpt_tools.config.serve import ServeConfig
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.serve import ModelService, application
from kpt_tools.web.server import bind, server_of


@contextmanager
def serving(engine: Engine, events: list[dict[str, Any]] | None = None, **settings: Any) -> Iterator[str]:
    """The address of a server that looks at pictures with `engine`."""
    config = ServeConfig(model=Path("runs/patches/export"), **settings)
    service = ModelService(engine, config, "patches")
    with bind("127.0.0.1", 0) as sock:
        server = server_of(application(service, config, (events if events is not None else []).append))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def patch_bytes(left: int = 40, top: int = 30, kind: str = "PNG", **options: Any) -> bytes:
    """160 x 120, grey, with a red patch of 50 x 20."""
    pixels = np.full((120, 160, 3), 128, np.uint8)
    pixels[top : top + 20, left : left + 50] = (255, 0, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def post(url: str, content: bytes, name: str = "a.png", field: str = "image", **options: Any) -> requests.Response:
    return requests.post(url, files={field: (name, content)}, timeout=10, **options)


def error_of(response: requests.Response) -> str:
    content = response.json()
    assert list(content) == ["error"]
    assert len(content["error"].splitlines()) == 1
    return str(content["error"])


class BrokenEngine:
    def __init__(self, inner: Any, error: Exception) -> None:
        self.metadata, self.error = inner.metadata, error

    def detect(self, image: np.ndarray[Any, Any]) -> Any:
        raise self.error
