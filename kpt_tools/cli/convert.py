"""`kpt-tools convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.convert import FORMATS, ConvertConfig
from kpt_tools.errors import DataError

_PATH = click.Path(path_type=Path)


@click.command("convert")
@click.argument("annotations", type=_PATH)
@option(ConvertConfig, "from_format", "--from", type=click.Choice(FORMATS), help="Default: seen from the content.")
@option(ConvertConfig, "to_format", "--to", type=click.Choice(FORMATS), required=True, help="The format to write.")
@option(ConvertConfig, "out", type=_PATH, required=True, help="Folder, or for a format of one file a .json file.")
@option(ConvertConfig, "images", type=_PATH, help="Folder of the images; tells sizes and EXIF orientations.")
@option(ConvertConfig, "copy_images", is_flag=True, help="Copy the images to where the format expects them.")
@option(ConvertConfig, "classes", type=_PATH, help="COCO JSON whose classes, keypoint order and skeletons to use.")
@option(ConvertConfig, "category", help="Class of objects without one; for DeepLabCut the class to write.")
@option(ConvertConfig, "boxes_from_keypoints", is_flag=True, help="Make missing boxes from the keypoints.")
@option(ConvertConfig, "box_padding", type=float, help="Padding of such boxes, as a share of the longer side.")
@option(ConvertConfig, "flip_pairs", help="As in make-config, for YOLO's flip_idx.")
@option(ConvertConfig, "val", type=float, help="Share of the images for val (yolo-pose).")
@option(ConvertConfig, "seed", type=int, help="Of that split.")
@option(ConvertConfig, "group_by", help="Regular expression on file names: equal matches stay on one side.")
@option(ConvertConfig, "scorer", help="DeepLabCut's name of the person who labelled.")
@option(ConvertConfig, "image_url", help="What Label Studio's image addresses start with.")
def command(**settings: Any) -> int:
    """Convert ANNOTATIONS from one format into another.

    Example: kpt-tools convert pliers.json --to yolo-pose --out yolo --images dataset/images --copy-images --val 0.2
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.cli.progress import progress_bar
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.convert import convert

    result = convert(from_dict(ConvertConfig, settings), progress_bar)
    print_findings(result.report)
    for note in result.notes:
        click.echo(f"Note: {note}")
    if result.flip_pairs:
        click.echo("Exchanged in a mirror image: " + ", ".join(f"{a} - {b}" for a, b in result.flip_pairs))
    click.echo(f"Read {result.source} ({result.from_format}): {result.images} images, {result.instances} objects.")
    click.echo(f"Wrote {result.out} ({settings['to_format']}).")
    if settings["copy_images"]:
        click.echo(f"Copied {result.copied} images.")
    lost = len(result.report.of_severity("error"))
    if lost:
        click.echo(f"Something was lost on the way: {lost} errors (see above).", err=True)
    return DataError.exit_code if lost else 0
