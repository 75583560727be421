"""`kpt-tools infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import BeamCommand, beam_options, option, with_beam
from kpt_tools.config.checkpoint import CHECKPOINTS
from kpt_tools.config.engines import AUTO, ENGINES
from kpt_tools.config.export import PRECISIONS
from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

    from kpt_tools.stages.infer import InferResult

_MOST_CLASSES = 20
"""Classes that are listed though nothing of them was found; a model of the zoo has 90."""


@click.command("infer", cls=BeamCommand)
@click.argument("inputs", nargs=-1)
@option(
    InferConfig,
    "model",
    type=click.Path(path_type=Path),
    help="Exported folder, run folder that holds one, or zoo model: name, folder or archive.",
)
@option(InferConfig, "checkpoint", type=click.Choice(CHECKPOINTS), help="Of a run; default: the best if kept.")
@option(InferConfig, "engine", type=click.Choice((AUTO, *ENGINES)), help="What runs it; auto: the fastest good one.")
@option(InferConfig, "precision", type=click.Choice(PRECISIONS), help="Of the model's file; default: float32.")
@option(InferConfig, "out", type=click.Path(path_type=Path), help="Folder for JSON, CSV and pictures.")
@option(InferConfig, "annotations", type=click.Path(path_type=Path), help="COCO JSON whose image and class ids to use.")
@option(InferConfig, "min_score", type=float, help="Leave out detections below.")
@option(InferConfig, "min_keypoint_score", type=float, help="Do not draw points below; the files keep them.")
@option(InferConfig, "max_detections", type=int, help="Keep the best so many per image.")
@option(InferConfig, "no_images", is_flag=True, help="Write no annotated pictures and videos.")
@option(InferConfig, "contact_sheet", is_flag=True, help="Write a contact sheet of up to 24 pictures.")
@option(InferConfig, "to_coco_annotator", is_flag=True, help="Write pre_annotations.json for coco-annotator's import.")
@option(
    InferConfig, "name_map", type=click.Path(path_type=Path), help="JSON with the names of images and classes there."
)
@option(
    InferConfig, "confident_keypoint_score", type=float, help="Points from here up become v = 2 there, others v = 1."
)
@option(InferConfig, "track", is_flag=True, help="Number objects over the frames of a video, or a folder's pictures.")
@option(InferConfig, "max_frames", type=int, help="At most so many frames of each video and camera.")
@option(InferConfig, "flip_test", is_flag=True, help="Look twice, once in the mirror: better, in twice the time.")
@option(InferConfig, "batch_size", type=int, help="Pictures at once; default: what suits the engine.")
@option(InferConfig, "workers", type=int, help="Threads that decode and draw; default: one per core.")
@option(InferConfig, "overwrite", is_flag=True, help="Start anew instead of going on with an unfinished run.")
@beam_options
def command(**settings: Any) -> int:
    """Find boxes and keypoints in INPUTS: images, folders, glob patterns, videos, URLs of images, or camera:0.

    Default: dataset/images. A run that was stopped or killed goes on when the same command is given again.
    """
    from rich.console import Console

    from kpt_tools.cli.findings import print_finding_lines, print_notes
    from kpt_tools.cli.image_progress import ImageProgress
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.engine_choice import CHOSEN
    from kpt_tools.stages.infer import infer
    from kpt_tools.stages.run_export import MEASURED
    from kpt_tools.stages.run_manifest import FILE_NAME

    values, beam = with_beam(settings)
    values["inputs"] = values["inputs"] or InferConfig.inputs
    with ImageProgress() as progress:
        result = infer(from_dict(InferConfig, values), progress, beam=beam)
    print_notes(result.findings, MEASURED)
    print_notes(result.findings, CHOSEN)
    print_finding_lines(result.findings, str(result.out / FILE_NAME))
    Console().print(result_table(result))
    return DataError.exit_code if result.lost else 0


def result_table(result: InferResult) -> Table:
    """What was done, in numbers."""
    from rich.markup import escape
    from rich.table import Table

    from kpt_tools.stages.infer import FAILED

    speed, whole = result.images_per_second, result.total_images_per_second
    table = Table(title=escape(f"Detections in {result.out}"), show_header=False)
    table.add_row("engine", escape(result.engine))
    table.add_row("images", str(result.images))
    found = {name: count for name, count in result.detections.items() if count}
    for name, count in (result.detections if len(result.detections) <= _MOST_CLASSES else found).items():
        table.add_row(escape(f"detections of {name}"), str(count))
    if len(result.detections) > _MOST_CLASSES:
        table.add_row("classes without a detection", str(len(result.detections) - len(found)))
    table.add_row("images without a detection", str(result.empty))
    table.add_row("images that failed", str(sum(result.counts.get(code, 0) for code in FAILED)))
    if result.detected < result.images:
        table.add_row("of these done by an earlier start", str(result.images - result.detected))
    table.add_row("images/s (all but the start)", f"{whole:.1f}" if whole else "n/a")
    table.add_row("images/s (model alone)", f"{speed:.1f}" if speed else "n/a")
    for video in result.videos:
        table.add_row("annotated video", escape(str(video)))
    if result.pre_annotations:
        table.add_row("pre-annotations", escape(str(result.pre_annotations)))
    if result.contact_sheet:
        table.add_row("contact sheet", escape(str(result.contact_sheet)))
    return table
