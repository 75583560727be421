"""Checks of values that several configurations share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kpt_tools.errors import ConfigError


def check_share(name: str, value: float) -> None:
    """Refuse a share of the images that is not from 0 to below 1.

    Raises:
        ConfigError: it is not.
    """
    if not 0.0 <= value < 1.0:
        raise ConfigError(f"{name} is {value}; expected a share from 0 to below 1, such as 0.2 for every fifth image.")


def check_part(name: str, value: float) -> None:
    """Refuse a part of the images that is neither a share (as `check_share`) nor a number of images (an int).

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, int):
        check_share(name, value)
    elif value < 0:
        raise ConfigError(f"{name} is {value}; expected a number of images from 0 up, or a share such as 0.2.")


def check_padding(value: float) -> None:
    """Refuse a padding that is negative or no number.

    Raises:
        ConfigError: it is.
    """
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"--box-padding is {value}; expected a share from 0 up, such as 0.15.")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not among `choices`.

    Raises:
        ConfigError: it is not.
    """
    if value not in choices:
        raise ConfigError(f"{name} is '{value}'; expected one of {', '.join(choices)}.")
