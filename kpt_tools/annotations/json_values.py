"""Careful reading of JSON values: the wanted type, or None. Nothing here raises."""

from __future__ import annotations

import math

_SHOWN = 40


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
    numbers = [as_number(item) for item in value]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(numbers) else None


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
