"""`kpt-tools demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kpt_tools.cli.options import option
from kpt_tools.config.demo import DemoConfig

if TYPE_CHECKING:
    from kpt_tools.stages.demo import DemoResult


@click.command("demo")
@option(DemoConfig, "out", type=click.Path(path_type=Path), help="Folder to work in; a stopped demo goes on there.")
@option(DemoConfig, "count", type=int, help="Pictures to draw.")
@option(DemoConfig, "steps", type=int, help="Training steps.")
@option(DemoConfig, "seed", type=int, help="Seed of pictures, split and training.")
def command(**settings: object) -> int:
    """Run the whole road on a made-up data set of pliers; no download, some minutes on a CPU."""
    from rich.console import Console

    from kpt_tools.cli.train_progress import TrainProgress
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.demo import demo

    console = Console(stderr=True, highlight=False)

    def announce(command_line: str, what: str) -> None:
        console.print(f"[bold]kpt-tools {command_line}[/]  ({what})", soft_wrap=True)

    with TrainProgress(console) as progress:
        result = demo(from_dict(DemoConfig, settings), announce, progress)
    _print(result)
    return 0 if result.reached else 1


def _print(result: DemoResult) -> None:
    from rich.console import Console
    from rich.table import Table

    box, oks = result.evaluation.box, result.evaluation.oks
    table = Table(title=f"Demo: {result.evaluation.images} held-out pictures, {result.steps} steps")
    for column in ("", "AP", "AP50", "AP75"):
        table.add_column(column)
    for name, precision in (("box", box), (f"OKS (sigma {result.evaluation.sigma_text}, area box)", oks)):
        table.add_row(name, *(_number(value) for value in (precision.ap, precision.ap50, precision.ap75)))
    console = Console(highlight=False)
    console.print(table)
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items())
    console.print(f"Time: {spent}; {sum(result.seconds.values()):.0f} s in all.", soft_wrap=True)
    console.print(f"Look at the predictions: {result.contact_sheet}", soft_wrap=True)
    console.print(f"Look at the data: {result.check_page}", soft_wrap=True)
    if not result.reached:
        console.print(
            f"AP50 is below {result.goal}: this is not what the demo reaches elsewhere; run kpt-tools doctor.",
            soft_wrap=True,
        )


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
