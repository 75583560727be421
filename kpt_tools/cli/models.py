"""`kpt-tools models`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.models import ModelsConfig

if TYPE_CHECKING:
    from kpt_tools.stages.models import ListedModel

_LEAST_WIDTH = 140


@click.command("models")
@option(ModelsConfig, "pretrained_models", type=click.Path(path_type=Path), help="Folder of the zoo's models.")
def command(**settings: Any) -> None:
    """List the CenterNet models of the TF2 detection zoo, and which of them are here.

    They are grouped by the template of kpt-tools make-config that has the same feature extractor and input size.
    Needs no network.
    """
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.models import list_models

    result = list_models(from_dict(ModelsConfig, settings))
    _print_table(result.models)
    click.echo("AP (COCO, per cent) and ms per image as the zoo publishes them; sizes are approximate.")
    click.echo(f"Next: kpt-tools fetch MODEL, which puts it into {result.folder}")


def _print_table(models: Sequence[ListedModel]) -> None:
    """One section per template that the models fit."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for name in ("px", "box AP", "keypoint AP", "ms", "archive"):
        table.add_column(name, justify="right")
    table.add_column("here", no_wrap=True)
    for template, group in groupby(models, key=lambda listed: listed.model.template):
        table.add_row(Text(f"for --template {template}" if template else "no shipped template fits", style="bold"))
        for listed in group:
            table.add_row(*map(Text, _cells(listed)))
        table.add_section()
    console = Console(highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)  # names that are cut off are of no use
    console.print(table)


def _cells(listed: ListedModel) -> tuple[str, ...]:
    model = listed.model
    accuracy = ("-" if value is None else f"{value:.1f}" for value in (model.box_ap, model.keypoint_ap))
    size = f"{model.download_mb / 1000:.1f} GB" if model.download_mb >= 1000 else f"{model.download_mb} MB"
    return (f"  {model.name}", str(model.input_px), *accuracy, str(model.speed_ms), size, _here(listed))


def _here(listed: ListedModel) -> str:
    from kpt_tools.zoo.listener import megabytes

    if listed.lacking:
        return f"not whole: no {', '.join(listed.lacking)}"
    if listed.present_bytes is not None:
        return f"yes, {megabytes(listed.present_bytes)}"
    return f"{megabytes(listed.part_bytes)} of the archive" if listed.part_bytes else "no"
