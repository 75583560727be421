"""`kpt-tools split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option, share_or_number
from kpt_tools.config.split import SplitConfig
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from kpt_tools.stages.split import SplitResult

_PATH = click.Path(path_type=Path)


@click.command("split")
@click.argument("annotations", type=_PATH, required=False)
@option(SplitConfig, "out", type=_PATH, help="Folder for the files; default: that of the JSON.")
@option(
    SplitConfig,
    "val",
    type=share_or_number,
    metavar="PART",
    help="Images for val: a share (0.2, 20%) or a number (200).",
)
@option(
    SplitConfig,
    "test",
    type=share_or_number,
    metavar="PART",
    help="Images for test: a share or a number; 0: no test file.",
)
@option(SplitConfig, "seed", type=int, help="Another seed gives another split.")
@option(SplitConfig, "group_by", help="Regular expression on file names: images of equal match stay together.")
@option(SplitConfig, "stratify", is_flag=True, help="Give each class nearly the same share on each side.")
@option(SplitConfig, "in_file_order", is_flag=True, help="Train, then val, then test, as they stand in the JSON.")
def command(**settings: Any) -> int:
    r"""Split one COCO JSON into <name>_train.json, <name>_val.json and <name>_test.json.

    ANNOTATIONS is a COCO JSON, by default the only one in dataset/annotations. The split depends on file
    names and seed only.

    Example: kpt-tools split frames.json --val 0.2 --test 0.1 --group-by '^(.*)_frame\d+'
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.split import split

    result = split(from_dict(SplitConfig, settings))
    if result.report.findings:
        print_findings(result.report)
    _print_result(result)
    if any(result.lost):
        click.echo(f"On no side: {result.lost[0]} images, {result.lost[1]} objects (see above).", err=True)
        return DataError.exit_code
    return 0


def _print_result(result: SplitResult) -> None:
    sides = [("train", result.train, result.train_counts), ("val", result.val, result.val_counts)]
    if result.test is not None:
        sides.append(("test", result.test, result.test_counts))
    for name, path, (images, objects) in sides:
        classes = result.classes[name]
        told = f" ({', '.join(f'{label} {count}' for label, count in classes.items())})" if len(classes) > 1 else ""
        click.echo(f"Wrote {path}: {images} images, {objects} objects{told}.")
