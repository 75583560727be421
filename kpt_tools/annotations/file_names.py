"""What a `file_name` of a JSON says about where its file lies."""

from __future__ import annotations

from pathlib import Path, PurePosixPath


def parts_of(file_name: str) -> tuple[str, ...]:
    """The parts of the path; Windows' backslashes part, too."""
    return PurePosixPath(file_name.replace("\\", "/")).parts


def leads_outside(file_name: str) -> bool:
    """Whether the name may leave the folder that it is looked for in."""
    plain = file_name.replace("\\", "/")
    return plain.startswith("/") or plain[1:3] == ":/" or ".." in parts_of(plain) or Path(file_name).is_absolute()
