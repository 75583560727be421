"""Strict construction of configuration dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from kpt_tools.errors import ConfigError

ConfigT = TypeVar("ConfigT")


def from_dict(cls: type[ConfigT], values: Mapping[str, Any]) -> ConfigT:
    """Build the configuration dataclass `cls`, refusing names it does not have.

    Raises:
        ConfigError: an unknown name (with the nearest known one), or a missing one.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ConfigError(f"{cls.__name__}: unknown setting '{name}'{did_you_mean(name, fields)}")
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in values]
    if missing:
        raise ConfigError(f"{cls.__name__}: missing setting(s) {', '.join(missing)}.")
    return cls(**values)


def default_of(cls: type, name: str) -> Any:
    """The default of field `name`, or None if it has none."""
    for field in dataclasses.fields(cls):
        if field.name == name:
            if field.default is not dataclasses.MISSING:
                return field.default
            if field.default_factory is not dataclasses.MISSING:
                return field.default_factory()
            return None
    raise AttributeError(f"{cls.__name__} has no field '{name}'")


def did_you_mean(word: str, known: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """``"; did you mean 'x'?"`` for the nearest known word, else ``"; known: ..."``."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names)}."
