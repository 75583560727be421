"""`kpt-tools check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import images_argument, option, with_images
from kpt_tools.config.check import CheckConfig
from kpt_tools.config.make_tfrecord import VERIFY
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from kpt_tools.stages.check import CheckResult

_PATH = click.Path(path_type=Path)


@click.command("check")
@click.argument("annotations", type=_PATH, required=False)
@images_argument
@option(CheckConfig, "images", type=_PATH, help="Folder of the images; the same as IMAGES.")
@option(CheckConfig, "annotations_only", is_flag=True, help="Do not look at the images.")
@option(CheckConfig, "boxes_from_keypoints", is_flag=True, help="As in make-tfrecord: boxes may be missing.")
@option(CheckConfig, "box_padding", type=float, help="Padding of such boxes, as a share of the longer side.")
@option(CheckConfig, "keep_empty", is_flag=True, help="Images without objects are meant as background.")
@option(CheckConfig, "verify", type=click.Choice(VERIFY), help="full: decode every pixel.")
@option(CheckConfig, "report", type=_PATH, help="Write all findings to this JSON file.")
def command(**settings: Any) -> int:
    """Find what is wrong with annotations and images; change nothing.

    ANNOTATIONS is a COCO JSON, by default the only one in dataset/annotations. The exit code is 3 if
    make-tfrecord would lose something.

    Example: kpt-tools check dataset/annotations/pliers.json --images dataset/images
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.cli.progress import progress_bar
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.check import check

    result = check(from_dict(CheckConfig, with_images(settings)), progress_bar)
    print_findings(result.report)
    _print_summary(result, settings["report"])
    return 0 if result.sound else DataError.exit_code


def _print_summary(result: CheckResult, report: Path | None) -> None:
    from kpt_tools.cli.findings import severity_line

    classes = ", ".join(f"{name} ({count} keypoints)" for name, count in result.categories.items()) or "no classes"
    click.echo(
        f"{result.annotations}: {result.usable_images} of {result.images} images and {result.usable_instances} of "
        f"{result.instances} objects can be used; {classes}. {severity_line(result.report)}."
    )
    if report is not None:
        click.echo(f"All findings: {report}")
