"""`kpt-tools repair`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.repair import RepairConfig

if TYPE_CHECKING:
    from kpt_tools.stages.repair import RepairResult

_PATH = click.Path(path_type=Path)
_EXAMPLES = 3


@click.command("repair")
@click.argument("annotations", type=_PATH, required=False)
@click.argument("images", type=_PATH, required=False)
@option(RepairConfig, "out", type=_PATH, help="The repaired JSON; default: <name>_repaired.json.")
@option(RepairConfig, "codes", help="Codes of kpt-tools check to repair, with commas between.")
@option(RepairConfig, "safe", is_flag=True, help="Make all repairs that lose nothing.")
@option(RepairConfig, "log", type=_PATH, help="JSON file for every change; default: beside --out.")
@option(RepairConfig, "flip_pairs", help="left_ear:right_ear,... for sides-swapped; default: by name.")
def command(**settings: Any) -> None:
    """Repair a COCO JSON by rule, into a new file.

    ANNOTATIONS is a COCO JSON, by default the only one in dataset/annotations; IMAGES is the folder of its images,
    which only few repairs need. Every change is written to a log.

    Example: kpt-tools repair pliers.json --safe --codes annotation-duplicate,box-missing --out repaired.json
    """
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.repair import repair_file

    _print_result(repair_file(from_dict(RepairConfig, settings)))


def _print_result(result: RepairResult) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console(highlight=False)
    counts = Counter(change.code for change in result.changes)
    if counts:
        table = Table(Column("repair", no_wrap=True), "changes", "examples")
        for code, count in counts.items():
            first = [change for change in result.changes if change.code == code][:_EXAMPLES]
            told = [f"{change.where}: {change.change}" for change in first]
            table.add_row(code, str(count), Text("\n".join(told)))
        console.print(table)
    changes = f"{len(result.changes)} change{'' if len(result.changes) == 1 else 's'}"
    click.echo(f"{changes} to {result.source}. Wrote {result.out}; every change is in {result.log}.")
