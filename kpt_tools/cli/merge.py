"""`kpt-tools merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.merge import MergeConfig
from kpt_tools.errors import DataError

_PATH = click.Path(path_type=Path)


@click.command("merge")
@click.argument("annotations", type=_PATH, nargs=-1, required=True)
@option(MergeConfig, "out", type=_PATH, help="The JSON to write.")
@option(MergeConfig, "rename", multiple=True, metavar="OLD=NEW", help="Call a class otherwise; as often as you like.")
@option(MergeConfig, "ignore_case", is_flag=True, help="Class names that differ only in case are one class.")
@option(MergeConfig, "images", type=_PATH, multiple=True, help="Image folder: once for all JSONs, or once for each.")
@option(MergeConfig, "images_prefix", multiple=True, help="Put before the file names: once for each JSON.")
@option(MergeConfig, "same_images", is_flag=True, help="Images of one name are the same picture.")
@option(MergeConfig, "copy_images", type=_PATH, help="Copy all images into this folder.")
def command(**settings: Any) -> int:
    """Merge several COCO JSONs into one.

    The ids, spellings, keypoint orders and skeletons of the first JSON count.

    Example: kpt-tools merge monday.json tuesday.json --out all.json --images dataset/images
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.merge import merge_files

    result = merge_files(from_dict(MergeConfig, settings))
    print_findings(result.report)
    for name, images, objects in result.parts:
        click.echo(f"{name}: {images} images, {objects} objects.")
    classes = ", ".join(f"{name} ({count} keypoints)" for name, count in result.categories.items()) or "no classes"
    click.echo(f"Wrote {result.out}: {result.images} images, {result.instances} objects; {classes}.")
    if settings["copy_images"] is not None:
        click.echo(f"Copied {result.copied} images to {settings['copy_images']}.")
    return DataError.exit_code if result.report.of_severity("error") else 0
