"""`kpt-tools split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.split import SplitConfig
from kpt_tools.errors import DataError

_PATH = click.Path(path_type=Path)


@click.command("split")
@click.argument("annotations", type=_PATH, required=False)
@option(SplitConfig, "out", type=_PATH, help="Folder for the two files; default: that of the JSON.")
@option(SplitConfig, "val", type=float, help="Share of the images for val.")
@option(SplitConfig, "seed", type=int, help="Another seed gives another split.")
@option(SplitConfig, "group_by", help="Regular expression on file names: images of equal match stay together.")
def command(**settings: Any) -> int:
    r"""Split one COCO JSON into <name>_train.json and <name>_val.json.

    ANNOTATIONS is a COCO JSON, by default the only one in dataset/annotations. The split depends on file
    names and seed only.

    Example: kpt-tools split frames.json --val 0.2 --group-by '^(.*)_frame\d+'
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.split import split

    result = split(from_dict(SplitConfig, settings))
    if result.report.findings:
        print_findings(result.report)
    for path, (images, objects) in ((result.train, result.train_counts), (result.val, result.val_counts)):
        click.echo(f"Wrote {path}: {images} images, {objects} objects.")
    if any(result.lost):
        click.echo(f"On neither side: {result.lost[0]} images, {result.lost[1]} objects (see above).", err=True)
        return DataError.exit_code
    return 0
