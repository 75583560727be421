"""`kpt-tools export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.checkpoint import CHECKPOINTS
from kpt_tools.config.export import FORMATS, PRECISIONS, ExportConfig
from kpt_tools.errors import KptToolsError


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), default=ExportConfig.run)
@option(ExportConfig, "out", type=click.Path(path_type=Path), help="Folder to make; default: RUN/export.")
@option(ExportConfig, "checkpoint", type=click.Choice(CHECKPOINTS), help="Default: the best if kept.")
@option(
    ExportConfig, "formats", "--format", multiple=True, help=f"{', '.join(FORMATS)}; several with commas, or repeated."
)
@option(
    ExportConfig,
    "precisions",
    "--precision",
    multiple=True,
    help=f"{', '.join(PRECISIONS)}; of the formats besides the SavedModel. Default: float32.",
)
@option(
    ExportConfig,
    "images",
    type=click.Path(path_type=Path),
    help="Folder of pictures to compare on; default: the validation records of the run.",
)
@option(ExportConfig, "parity_images", type=int, help="Compare boxes, keypoints and scores on so many pictures.")
@option(ExportConfig, "ap_images", type=int, help="Measure AP on at most so many pictures; default: on all.")
@option(ExportConfig, "force", is_flag=True, help="Export again even if RUN/export is up to date.")
def command(**settings: object) -> None:
    """Export the best checkpoint of RUN (default: runs/train), or its last, and compare each export with it."""
    from rich.console import Console

    from kpt_tools.cli.export_tables import parity_tables, signature_table
    from kpt_tools.cli.findings import print_finding_lines, print_notes
    from kpt_tools.cli.image_progress import ImageProgress
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.export import LOG_NAME, STATISTICS, export_run

    config = from_dict(ExportConfig, settings | {name: _names(settings[name]) for name in ("formats", "precisions")})
    console = Console()
    checked: list[dict[str, Any]] = []
    try:
        with ImageProgress() as progress:

            def watch(event: dict[str, Any]) -> None:
                if event["kind"] == "checked":
                    checked.append(event["check"])
                progress(event)

            result = export_run(config, watch)
    except KptToolsError:
        for table in parity_tables(checked):
            console.print(table)
        raise
    print_notes(result.findings, STATISTICS)
    print_finding_lines(result.findings, str(config.run / LOG_NAME))
    console.print(signature_table(result))
    for table in parity_tables(result.parity["checks"]):
        console.print(table)
    for check in result.parity["checks"]:
        if check["note"]:
            console.print(f"{check['model']}: {check['note']}", style="yellow", markup=False, highlight=False)


def _names(values: object) -> tuple[str, ...]:
    """Names given with commas, repeated, or both."""
    given = values if isinstance(values, tuple) else ()
    return tuple(name.strip() for value in given for name in str(value).split(",") if name.strip())
