"""A session with coco-annotator, logged in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kpt_tools.lazy import require

if TYPE_CHECKING:
    from kpt_tools.annotator.client import Client
    from kpt_tools.annotator.transport import Patience

OnEvent = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def session(
    url: str, user: str, password: str, timeout: float, patience: Patience | None, on_event: OnEvent
) -> Iterator[Client]:
    """A client that is logged in."""
    require("requests", purpose="speaking with coco-annotator")
    from kpt_tools.annotator.address import base_address, in_the_clear
    from kpt_tools.annotator.client import Client
    from kpt_tools.annotator.transport import Patience, Transport

    base = base_address(url)
    if user and in_the_clear(base):
        text = f"{base} is not encrypted: others on the way can read the password. Use https, or a tunnel."
        on_event({"kind": "warning", "text": text})
    with contextlib.closing(Client(Transport(base, patience or Patience(read_s=timeout)))) as client:
        if user:
            on_event({"kind": "phase", "name": "logging in"})
            client.login(user, password)
        yield client
