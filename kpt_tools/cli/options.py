"""Click options whose defaults come from the configuration dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kpt_tools.config.base import default_of
from kpt_tools.config.beam import RUNNERS, BeamConfig

F = TypeVar("F", bound=Callable[..., Any])


def option(config: type, field: str, *flags: str, **kwargs: Any) -> Callable[[F], F]:
    """A `click.option` for `config.field`: its default and its parameter name come from the dataclass."""
    default = default_of(config, field)
    if not kwargs.get("multiple") and not kwargs.get("is_flag"):
        kwargs.setdefault("show_default", default is not None)
    kwargs.setdefault("default", default)
    return click.option(*(flags or (f"--{field.replace('_', '-')}",)), field, **kwargs)


class BeamCommand(click.Command):
    """A command that can run on Apache Beam: with ``--runner``, options that it does not know are Beam's.

    They come as ``--name=value`` or ``--flag`` and are handed over as the parameter ``beam_options``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take Beam's options out."""
        ctx.params["beam_options"] = ()
        if any(arg.partition("=")[0] == "--runner" for arg in args):
            own = {name for parameter in self.get_params(ctx) for name in (*parameter.opts, *parameter.secondary_opts)}
            others = [arg for arg in args if arg.startswith("--") and arg.partition("=")[0] not in own and arg != "--"]
            args = [arg for arg in args if arg not in others]
            ctx.params["beam_options"] = tuple(others)
        return super().parse_args(ctx, args)


def beam_options(function: F) -> F:
    """``--runner`` and ``--beam-temp``; `with_beam` makes a configuration of them."""
    text = f"Run on Apache Beam: {', '.join(RUNNERS)}. All other options are then handed to Beam as --name=value."
    temp = "Folder that all its machines reach; default: beside the output."
    function = option(BeamConfig, "beam_temp", help=temp)(function)
    return option(BeamConfig, "runner", help=text)(function)


def with_beam(settings: dict[str, Any]) -> tuple[dict[str, Any], BeamConfig]:
    """`settings` without those of Beam, and these."""
    rest = {name: value for name, value in settings.items() if name not in ("runner", "beam_temp", "beam_options")}
    return rest, BeamConfig(settings["runner"], settings["beam_options"], settings["beam_temp"])


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
