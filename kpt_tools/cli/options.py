"""Click options whose defaults come from the configuration dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kpt_tools.config.base import default_of

F = TypeVar("F", bound=Callable[..., Any])


def option(config: type, field: str, *flags: str, **kwargs: Any) -> Callable[[F], F]:
    """A `click.option` for `config.field`: its default and its parameter name come from the dataclass."""
    default = default_of(config, field)
    if not kwargs.get("multiple") and not kwargs.get("is_flag"):
        kwargs.setdefault("show_default", default is not None)
    kwargs.setdefault("default", default)
    return click.option(*(flags or (f"--{field.replace('_', '-')}",)), field, **kwargs)


def share_or_number(value: str | float) -> float | int:
    """A share of the images (``0.2``, ``20%``: a float) or their number (``200``: an int).

    Raises:
        click.BadParameter: it is neither.
    """
    text = str(value).strip() if isinstance(value, str) else ""
    try:
        if not text:
            return float(value) if isinstance(value, float | str) else value
        if text.endswith("%"):
            return float(text[:-1]) / 100
        return int(text) if text.isdecimal() else float(text)
    except ValueError as exc:
        raise click.BadParameter(f"'{value}' is neither a share (0.2, 20%) nor a number of images (200).") from exc


def images_argument(function: F) -> F:
    """IMAGES as an optional second argument, beside ``--images``; `with_images` brings both together."""
    return click.argument("images_too", metavar="[IMAGES]", type=click.Path(path_type=Path), required=False)(function)


def with_images(settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` with IMAGES in the place of ``--images``.

    Raises:
        click.UsageError: both were given.
    """
    given = settings.pop("images_too")
    if given is None:
        return settings
    source = click.get_current_context().get_parameter_source("images")
    if source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(
            f"IMAGES ({given}) and --images ({settings['images']}) both name a folder. Leave one out."
        )
    return {**settings, "images": given}
