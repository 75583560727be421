"""`kpt-tools stats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.stats import StatsConfig
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

    from kpt_tools.annotations.statistics import ClassStatistics, DatasetStatistics, Spread

_PATH = click.Path(path_type=Path)
_SIZES_SHOWN = 5


@click.command("stats")
@click.argument("annotations", type=_PATH, required=False)
@option(StatsConfig, "json", type=_PATH, help="Write the numbers to this JSON file.")
def command(**settings: Any) -> int:
    """Count classes, keypoints, sizes of objects and images of a COCO JSON.

    ANNOTATIONS is a COCO JSON, by default the only one in dataset/annotations. The exit code is 3 if something
    could not be read and was not counted; kpt-tools check tells what.

    Example: kpt-tools stats dataset/annotations/pliers.json --json stats.json
    """
    from rich.console import Console

    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.stats import stats

    result = stats(from_dict(StatsConfig, settings))
    console = Console(highlight=False)
    console.print(_classes(result.statistics))
    for found in result.statistics.classes:
        if found.keypoints:
            console.print(_keypoints(found))
    click.echo(_images(result.statistics))
    if settings["json"] is not None:
        click.echo(f"Numbers: {settings['json']}")
    lost = len(result.report.of_severity("error"))
    if lost:
        click.echo(f"Not everything could be read ({lost} errors): kpt-tools check {result.annotations}", err=True)
    return DataError.exit_code if lost else 0


def _classes(statistics: DatasetStatistics) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("class", "objects", "images", "with box", "with points", "crowds", "small/medium/large", "size, px")
    for found in statistics.classes:
        numbers = (found.objects, found.images, found.with_box, found.with_keypoints, found.crowds)
        sizes = "/".join(map(str, found.sizes))
        table.add_row(escape(found.name), *map(str, numbers), sizes, _spread(found.side_px))
    return table


def _keypoints(found: ClassStatistics) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("keypoint", "visible", "hidden", "not labelled", "labelled", title=escape(found.name))
    for row in found.keypoints:
        share = f"{row.labelled_share:.0%}"
        table.add_row(escape(row.name), str(row.visible), str(row.hidden), str(row.unlabelled), share)
    return table


def _spread(spread: Spread | None) -> str:
    return "n/a" if spread is None else f"{spread.median:.0f} ({spread.p5:.0f} to {spread.p95:.0f})"


def _images(statistics: DatasetStatistics) -> str:
    sizes = [f"{count} of {w}x{h}" for (w, h), count in list(statistics.image_sizes.items())[:_SIZES_SHOWN]]
    more = len(statistics.image_sizes) - len(sizes)
    told = f"; {', '.join(sizes)}{f' and {more} more sizes' if more else ''}" if sizes else ""
    return f"{statistics.images} images, {statistics.without_objects} without objects{told}."
