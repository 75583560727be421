"""`kpt-tools export`."""

from __future__ import annotations

from pathlib import Path

import click

from kpt_tools.cli.options import option
from kpt_tools.config.export import ExportConfig


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), default=ExportConfig.run)
@option(ExportConfig, "out", type=click.Path(path_type=Path), help="Folder to make; default: RUN/export.")
@option(ExportConfig, "force", is_flag=True, help="Export again even if RUN/export is up to date.")
def command(**settings: object) -> None:
    """Export the last checkpoint of RUN (default: runs/train) as a SavedModel with its metadata."""
    from rich.console import Console
    from rich.table import Table

    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.export import export_run

    console = Console(stderr=True)
    with console.status("exporting") as status:
        result = export_run(
            from_dict(ExportConfig, settings),
            lambda event: status.update(event["name"]) if event["kind"] == "phase" else None,
        )
    done = "Up to date:" if result.reused else "Exported"
    table = Table(title=f"{done} step {result.step} in {result.folder}")
    for column in ("", "name", "type and shape"):
        table.add_column(column)
    for kind, specs in (("input", result.inputs), ("output", result.outputs)):
        for name, spec in specs.items():
            table.add_row(kind, name, spec)
    Console().print(table)
