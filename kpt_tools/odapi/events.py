"""The lines by which a child process tells its parent how far it is."""

from __future__ import annotations

import json
import sys
from typing import Any

PREFIX = "@kpt-event "


def emit(kind: str, **values: Any) -> None:
    """Print an event on standard output, at once."""
    sys.stdout.write(PREFIX + json.dumps({"kind": kind, **values}) + "\n")
    sys.stdout.flush()


def parse(line: str) -> dict[str, Any] | None:
    """The event in a line of a child's output, or None for an ordinary line."""
    if not line.startswith(PREFIX):
        return None
    try:
        event = json.loads(line[len(PREFIX) :])
    except json.JSONDecodeError:
        return None  # a line cut short by the child's death stays an ordinary line of the log
    return event if isinstance(event, dict) and "kind" in event else None
