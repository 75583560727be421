"""Outputs that must not take the place of what is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kpt_tools.errors import ConfigError


def refuse_overwriting(inputs: Iterable[Path | None], outputs: Mapping[str, Path | None]) -> None:
    """Refuse outputs that are an input, and two outputs that are one file.

    Args:
        inputs: files that are read; None: not given.
        outputs: files to write by the option that names them; None: not given.

    Raises:
        ConfigError: one is.
    """
    read = {path.resolve() for path in inputs if path is not None}
    written: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        target = path.resolve()
        if target in read:
            raise ConfigError(f"{option} {path}: is an input, which is never changed; expected another file.")
        if target in written:
            raise ConfigError(f"{path}: is both {written[target]} and {option}; expected two files.")
        written[target] = option
