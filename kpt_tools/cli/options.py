"""Click options whose defaults come from the configuration dataclasses."""

from __future__ import annotations

from collections.abc import Callable
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
