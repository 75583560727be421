"""The fields of a pipeline.config as paths and values, for comparing two of them. Needs no OD API."""

from __future__ import annotations

import re
from collections import Counter

_OPEN = re.compile(r"(\w+)\s*:?\s*\{$")
_VALUE = re.compile(r"(\w+)\s*:\s*(.+)$")


def flat_fields(text: str) -> dict[str, str]:
    """Paths such as ``train_config.batch_size`` with their values as text.

    Of several messages of one name the second is ``name[1]``, the third ``name[2]``; several values of one name are
    joined by commas; a message without fields has the value ``{}``.

    Args:
        text: protobuf text format with one field per line, as `train` writes it into the run folder. Lines that
            hold something else are passed over.
    """
    fields: dict[str, str] = {}
    path: list[str] = []
    counts: list[Counter[str]] = [Counter()]
    for line in map(str.strip, text.splitlines()):
        if line == "}" and path:
            if not counts.pop():
                fields[".".join(path)] = "{}"
            path.pop()
        elif opened := _OPEN.match(line):
            path.append(_numbered(opened[1], counts[-1]))
            counts.append(Counter())
        elif found := _VALUE.match(line):
            name, value = ".".join([*path, found[1]]), found[2].strip('"')
            counts[-1][found[1]] += 1
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _numbered(name: str, seen: Counter[str]) -> str:
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}[{seen[name] - 1}]"
