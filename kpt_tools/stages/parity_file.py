"""``parity.json`` of an exported folder: which checkpoint it is of, and how its models differ from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.fsio import read_json
from kpt_tools.stages.checkpoint_choice import Origin

FILE_NAME = "parity.json"
FORMAT = "kpt-tools-parity/1"


def read_parity(folder: Path) -> dict[str, Any]:
    """The content of ``folder/parity.json``; empty if there is none, or it is of something else.

    Raises:
        DataError: it is not JSON.
    """
    path = folder / FILE_NAME
    content = read_json(path, what="report of kpt-tools export") if path.is_file() else {}
    return content if isinstance(content, dict) and content.get("format") == FORMAT else {}


def exported_origin(folder: Path) -> Origin | None:
    """The checkpoint that an exported folder was made from; None if it does not tell.

    Raises:
        DataError: parity.json is not JSON.
    """
    return Origin.of(read_parity(folder).get("checkpoint"))
