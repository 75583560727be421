"""`kpt-tools check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import BeamCommand, beam_options, images_argument, option, with_beam, with_images
from kpt_tools.config.check import CheckConfig
from kpt_tools.config.make_tfrecord import VERIFY
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from kpt_tools.stages.check import CheckResult

_PATH = click.Path(path_type=Path)


@click.command("check", cls=BeamCommand)
@click.argument("annotations", type=_PATH, required=False)
@images_argument
@option(CheckConfig, "images", type=_PATH, help="Folder of the images; the same as IMAGES.")
@option(CheckConfig, "annotations_only", is_flag=True, help="Do not look at the images.")
@option(CheckConfig, "against", type=_PATH, help="COCO JSON of the other side of a split: tell pictures in both.")
@option(CheckConfig, "against_images", type=_PATH, help="Folder of its images; default: that of IMAGES.")
@option(
    CheckConfig,
    "look_alikes",
    "--look-alikes/--no-look-alikes",
    is_flag=True,
    help="Look for pictures that look nearly the same (default: yes).",
)
@option(CheckConfig, "flip_pairs", help="left_ear:right_ear,... or none, as in make-config; default: by name.")
@option(CheckConfig, "boxes_from_keypoints", is_flag=True, help="As in make-tfrecord: boxes may be missing.")
@option(CheckConfig, "box_padding", type=float, help="Padding of such boxes, as a share of the longer side.")
@option(CheckConfig, "keep_empty", is_flag=True, help="Images without objects are meant as background.")
@option(CheckConfig, "verify", type=click.Choice(VERIFY), help="full: decode every pixel.")
@option(CheckConfig, "workers", type=int, help="Processes that look at images; default: one per core.")
@option(CheckConfig, "report", type=_PATH, help="Write all findings and numbers to this JSON file.")
@option(CheckConfig, "html", type=_PATH, help="Write a page with pictures and plots to this HTML file.")
@beam_options
def command(**settings: Any) -> int:
    """Find what is wrong with annotations and images; change nothing.

    ANNOTATIONS is a COCO JSON, by default the only one in dataset/annotations; IMAGES is the folder of its
    images. The exit code is 3 if make-tfrecord would lose something.

    Example: kpt-tools check dataset/annotations/pliers.json dataset/images --html check.html
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.cli.progress import progress_bar
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.check import check

    values, beam = with_beam(settings)
    result = check(from_dict(CheckConfig, with_images(values)), progress_bar, beam)
    print_findings(result.report, source=result.annotations)
    _print_summary(result)
    for what, path in (("All findings", settings["report"]), ("Page", settings["html"])):
        if path is not None:
            click.echo(f"{what}: {path}")
    return 0 if result.sound else DataError.exit_code


def _print_summary(result: CheckResult) -> None:
    from kpt_tools.cli.findings import severity_line

    classes = ", ".join(f"{name} ({count} keypoints)" for name, count in result.categories.items()) or "no classes"
    for name, pairs in result.flip_pairs.items():
        if pairs:
            click.echo(f"Mirrored, these exchange ({name}): {', '.join(f'{a} <-> {b}' for a, b in pairs)}.")
    click.echo(
        f"{result.annotations}: {result.usable_images} of {result.images} images and {result.usable_instances} of "
        f"{result.instances} objects can be used; {classes}. {severity_line(result.report)}."
    )
