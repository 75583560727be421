"""`kpt-tools annotator pull` and `push`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from kpt_tools.cli.options import option
from kpt_tools.config.annotator import PASSWORD_VARIABLE, PullConfig, PushConfig
from kpt_tools.errors import ConfigError, DataError

Command = TypeVar("Command", bound=Callable[..., object])

if TYPE_CHECKING:
    from kpt_tools.stages.annotator_pull import PullResult
    from kpt_tools.stages.annotator_push import PushResult


def _server_options(config: type[PullConfig | PushConfig]) -> Callable[[Command], Command]:
    """What both commands have to know of the server."""

    def decorate(command: Command) -> Command:
        for add in (
            option(config, "user", help="Who logs in; leave out for a server without logins.", show_default=False),
            option(config, "dataset", help="Name of the data set.  [required]", show_default=False),
            option(config, "url", help="Address of coco-annotator."),
        ):
            command = add(command)
        return command

    return decorate


@click.group("annotator")
def command() -> None:
    """Fetch data sets from coco-annotator, and hand pre-annotations to it.

    The password comes from the environment variable KPT_TOOLS_PASSWORD, or is asked for.
    """


@command.command("pull")
@_server_options(PullConfig)
@option(PullConfig, "out", type=click.Path(path_type=Path), help="Folder for annotations/NAME.json and images/.")
@option(PullConfig, "all_images", is_flag=True, help="Also pictures without objects.")
@option(PullConfig, "no_images", is_flag=True, help="Fetch the JSON only.")
@option(PullConfig, "overwrite", is_flag=True, help="Replace pictures that are here with another size.")
@option(PullConfig, "timeout", type=float, help="Seconds of silence that are borne.")
def pull_command(**settings: object) -> int:
    """Fetch the annotations and the original pictures of a data set.

    Pictures that are here already are kept: an interrupted pull goes on where it was.
    """
    from kpt_tools.cli.findings import print_finding_lines
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.annotator_pull import pull

    config = from_dict(PullConfig, settings)
    password = _password(config.user)
    with _Progress() as progress:
        result = pull(config, password, progress)
    print_finding_lines(result.findings, "this output")
    _print_pulled(result, config)
    return DataError.exit_code if result.lost else 0


@command.command("push")
@click.argument("file", type=click.Path(path_type=Path))
@_server_options(PushConfig)
@option(PushConfig, "dry_run", is_flag=True, help="Compare only; send nothing.")
@option(PushConfig, "partial", is_flag=True, help="Send what will be kept, even if some would be lost.")
@option(PushConfig, "new_categories", is_flag=True, help="Let the importer make missing categories.")
@option(PushConfig, "wait", type=float, help="Seconds to wait for the importer; 0: do not wait.")
@option(PushConfig, "timeout", type=float, help="Seconds of silence that are borne.")
def push_command(**settings: object) -> int:
    """Hand the COCO FILE to coco-annotator as pre-annotations.

    Everything that its importer would lose or spoil is found first, and nothing is sent then.
    """
    from kpt_tools.cli.findings import print_finding_lines
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.annotator_push import push

    config = from_dict(PushConfig, settings)
    password = _password(config.user)
    with _Progress() as progress:
        result = push(config, password, progress)
    print_finding_lines(result.findings, "this output")
    _print_pushed(result, config)
    return DataError.exit_code if result.incomplete else 0


def _password(user: str) -> str:
    """From the environment, else from the keyboard."""
    if not user:
        return ""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise ConfigError(
            f"no password for '{user}'; set {PASSWORD_VARIABLE}, or run in a terminal to be asked for it."
        )
    return str(click.prompt(f"Password of {user}", hide_input=True, err=True))


class _Progress:
    """Events of the stage: warnings as lines, the rest as a bar."""

    def __init__(self) -> None:
        from kpt_tools.cli.image_progress import ImageProgress

        self._bar = ImageProgress()

    def __enter__(self) -> _Progress:
        self._bar.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.__exit__(*exc)

    def __call__(self, event: dict[str, object]) -> None:
        if event["kind"] == "warning":
            click.echo(f"warning: {event['text']}", err=True)
        else:
            self._bar(event)


def _print_pulled(result: PullResult, config: PullConfig) -> None:
    from rich.console import Console

    say = Console(highlight=False, markup=False, soft_wrap=True).print
    say(f"{result.annotations}: {result.listed} pictures with {result.objects} objects.")
    if not config.no_images:
        size = f" ({result.bytes / 1e6:.1f} MB)" if result.downloaded else ""
        say(f"{result.images}: {result.downloaded} downloaded{size}, {result.kept} were here, {result.lost} missing.")
        say(f"Next: kpt-tools check {shlex.quote(str(result.annotations))} {shlex.quote(str(result.images))}")


def _print_pushed(result: PushResult, config: PushConfig) -> None:
    from rich.console import Console

    say = Console(highlight=False, markup=False, soft_wrap=True).print
    what = f"{result.objects} objects on {result.images} pictures"
    left = f"; {result.lost} left out" if result.lost else ""
    if not result.sent:
        say(f"Dry run: {what} would be sent to '{config.dataset}'{left}. Nothing was sent.")
        return
    done = result.imported
    state = "taken in" if done and done.completed else "sent; coco-annotator takes them in (see Tasks there)"
    missing = f"; {result.missing} of them are not in the data set (see above)" if result.missing else ""
    say(f"'{config.dataset}': {what} {state}{left}{missing}.")
