"""Careful reading of JSON values: the wanted type, or None. Nothing here raises."""

from __future__ import annotations

import math
from typing import Any

_SHOWN = 40
_NUMBERS = frozenset({int, float})


def as_int(value: object) -> int | None:
    """A whole number (7 or 7.0, not true, not "7"), or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def as_number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_numbers(value: object) -> list[float] | None:
    """A list of finite numbers, or None if it is no list or one of them is none."""
    if not isinstance(value, list):
        return None
    if plain_numbers(value):
        return list(map(float, value))
    numbers = [as_number(item) for item in value]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(numbers) else None


def plain_numbers(values: list[Any]) -> bool:
    """Whether all are finite numbers, and none is a bool; in a fraction of the time that one by one takes."""
    try:
        return _NUMBERS.issuperset(map(type, values)) and all(map(math.isfinite, values))
    except OverflowError:  # a whole number that no float holds
        return False


def as_text(value: object) -> str:
    """A text that is more than spaces and can be written as UTF-8, else ""."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return ""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return ""
    return value


def shown(value: object) -> str:
    """A short form of any JSON value, for messages."""
    text = "null" if value is None else " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
