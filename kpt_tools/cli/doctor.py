"""`kpt-tools doctor`."""

from __future__ import annotations

import click

from kpt_tools.cli.options import option
from kpt_tools.config.doctor import DoctorConfig
from kpt_tools.errors import MissingDependencyError

LEAST_WIDTH = 140
"""Columns where the output is no terminal (a file, a bug report): reasons stay on a line or two."""
_STYLE = {"ok": "green", "note": "yellow", "problem": "bold red"}


@click.command("doctor")
@option(DoctorConfig, "quick", is_flag=True, help="Do not load TensorFlow and the OD API.")
def command(**settings: object) -> int:
    """Tell what is installed, which compatibility fixes are active, and what to do about each problem."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.doctor import doctor

    with Console(stderr=True).status("loading TensorFlow and the OD API"):
        result = doctor(from_dict(DoctorConfig, settings))
    table = Table(title="kpt-tools doctor")
    for column in ("", "what", "found", "state", "what it means, what to do"):
        table.add_column(column, overflow="fold")
    for row in result.rows:
        state = f"[{_STYLE[row.state]}]{row.state}[/]"
        table.add_row(row.section, escape(row.item), escape(row.found), state, escape(row.advice))
    console = Console()
    (console if console.is_terminal else Console(width=LEAST_WIDTH)).print(table)
    if result.healthy:
        click.echo("Everything that training and inference need is here.")
        return 0
    click.echo("Some things are missing; see the rows marked 'problem'.")
    return MissingDependencyError.exit_code
