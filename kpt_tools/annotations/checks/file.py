"""What is wrong with a JSON that is no COCO file at all."""

from __future__ import annotations

from json import JSONDecodeError

from kpt_tools.annotations.codes import finding
from kpt_tools.entities import Finding
from kpt_tools.errors import DataError

UNREADABLE = frozenset({"json-truncated", "json-invalid", "json-not-coco"})


def unreadable(content: bytes, exc: DataError) -> Finding:
    """The finding for a file that `read_coco` refused.

    Args:
        content: the file.
        exc: what was raised; it carries the JSON parser's own exception, if that was what failed.
    """
    cause = exc.__cause__
    if isinstance(cause, JSONDecodeError):
        at_end = cause.pos >= len(cause.doc.rstrip()) or cause.msg.startswith("Unterminated string")
        return finding("json-truncated" if at_end else "json-invalid", str(exc))
    if cause is not None:
        return finding("json-invalid", str(exc))
    return finding("json-not-coco" if content.strip() else "json-truncated", str(exc))
