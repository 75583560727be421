"""`kpt-tools compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.compare import CompareConfig

if TYPE_CHECKING:
    from rich.table import Table

    from kpt_tools.report.comparison import Comparison

_PATH = click.Path(path_type=Path)
_MOST_SETTINGS = 20


@click.command("compare")
@click.argument("runs", type=_PATH, nargs=-1, required=True)
@option(CompareConfig, "out", type=_PATH, help="Write a page with the curves to this HTML file.")
@option(CompareConfig, "json", type=_PATH, help="Write the numbers to this JSON file.")
def command(**settings: Any) -> int:
    """Put evaluations side by side.

    RUNS are run folders, exported models, or eval.json files that kpt-tools eval has written; two or more.

    Example: kpt-tools compare runs/first runs/second --out compare.html
    """
    from rich.console import Console

    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.compare import compare

    found = compare(from_dict(CompareConfig, settings))
    console = Console(highlight=False)
    console.print(_table(found))
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    for what, path in (("Page", settings["out"]), ("Numbers", settings["json"])):
        if path is not None:
            click.echo(f"{what}: {path}")
    return 0


def _table(found: Comparison) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("", caption="The best of a row is bold." if found.comparable else "Not comparable: see the warnings.")
    for name in found.names:
        table.add_column(escape(name), justify="right", overflow="fold")
    for heading, rows in found.groups():
        table.add_section()
        table.add_row(f"[dim]{escape(heading)}[/dim]")
        shown = rows[:_MOST_SETTINGS] if all(isinstance(row.values[0], str) for row in rows) else rows
        for row in shown:
            cells = zip(row.texts(), found.marks(row), strict=True)
            table.add_row(escape(row.name), *(f"[bold]{escape(t)}[/bold]" if best else escape(t) for t, best in cells))
        if len(shown) < len(rows):
            table.add_row(f"... and {len(rows) - len(shown)} more: --json, --out")
    return table
