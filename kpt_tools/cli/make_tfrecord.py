"""`kpt-tools make-tfrecord`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import BeamCommand, beam_options, images_argument, option, with_beam, with_images
from kpt_tools.config.make_tfrecord import VERIFY, MakeTfrecordConfig
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from kpt_tools.stages.make_tfrecord import MakeTfrecordResult

_PATH = click.Path(path_type=Path)


@click.command("make-tfrecord", cls=BeamCommand)
@click.argument("annotations", type=_PATH, required=False)
@images_argument
@option(MakeTfrecordConfig, "images", type=_PATH, help="Folder of the images; the same as IMAGES.")
@option(MakeTfrecordConfig, "out", type=_PATH, help="Folder for the records.")
@option(MakeTfrecordConfig, "label_map", type=_PATH, help="The label map to write.")
@option(MakeTfrecordConfig, "val", type=float, help="Share of the images for val; 0: none.")
@option(MakeTfrecordConfig, "seed", type=int, help="Of the split and of the order of the images.")
@option(MakeTfrecordConfig, "group_by", help="Regular expression on file names: equal matches stay together.")
@option(MakeTfrecordConfig, "val_annotations", type=_PATH, help="COCO JSON of the val images, instead of a split.")
@option(MakeTfrecordConfig, "val_images", type=_PATH, help="Folder of its images; default: --images.")
@option(MakeTfrecordConfig, "shards", type=int, help="Shards per split; default: about 150 MB each.")
@option(MakeTfrecordConfig, "boxes_from_keypoints", is_flag=True, help="Make missing boxes from keypoints.")
@option(MakeTfrecordConfig, "box_padding", type=float, help="Padding of such boxes, as a share of the longer side.")
@option(MakeTfrecordConfig, "keep_empty", is_flag=True, help="Keep images without objects, as background.")
@option(MakeTfrecordConfig, "verify", type=click.Choice(VERIFY), help="full: decode every pixel.")
@option(MakeTfrecordConfig, "max_side", type=int, help="Store pictures reduced to this many pixels at most.")
@option(MakeTfrecordConfig, "workers", type=int, help="Processes for images; default: one per core.")
@option(MakeTfrecordConfig, "strict", is_flag=True, help="Write nothing if anything would be lost or changed.")
@beam_options
def command(**settings: Any) -> int:
    """Convert COCO keypoints and images to TFRecord shards for the OD API.

    ANNOTATIONS is a COCO JSON (coco-annotator, Roboflow or plain), by default the only one in
    dataset/annotations; IMAGES is the folder of its images. The exit code is 3 if the records were written but
    something was lost.

    Example: kpt-tools make-tfrecord dataset/annotations/pliers.json dataset/images --val 0.2
    """
    from kpt_tools.cli.findings import print_findings
    from kpt_tools.cli.progress import progress_bar
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.make_tfrecord import make_tfrecord

    values, beam = with_beam(settings)
    result = make_tfrecord(from_dict(MakeTfrecordConfig, with_images(values)), progress_bar, beam)
    print_findings(result.report)
    _print_result(result)
    if result.complete:
        return 0
    click.echo("Something was lost on the way (the errors above); all else was written.", err=True)
    return DataError.exit_code


def _print_result(result: MakeTfrecordResult) -> None:
    for name, split in result.splits.items():
        count = len(split.shards)
        click.echo(
            f"{name}: {split.images} images, {split.instances} objects, {split.labelled_keypoints} labelled keypoints "
            f"in {count} {'shard' if count == 1 else 'shards'}, {split.pattern}."
        )
    used = [sum(getattr(split, key) for split in result.splits.values()) for key in ("images", "instances")]
    classes = ", ".join(f"{item.name} ({len(item.keypoints)} keypoints)" for item in result.label_map.items)
    click.echo(
        f"Used {used[0]} of {result.images_given} images and {used[1]} of {result.instances_given} objects. "
        f"Label map {result.label_map_path}: {classes}."
    )
    if result.reduced_images:
        click.echo(f"{result.reduced_images} images are stored reduced, for --max-side.")
    click.echo(f"Wrote {result.out}. Next: kpt-tools make-config --records {result.out}")
