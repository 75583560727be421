"""`kpt-tools heatmap prepare`, `train`, `eval`, `infer` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kpt_tools.cli.options import option, share_or_number
from kpt_tools.config.heatmap import (
    DECODINGS,
    FORMATS,
    MODELS,
    RECIPES,
    REGIONS,
    SIDES,
    SPLITS,
    TARGETS,
    WHOLES,
    HeatmapEvalConfig,
    HeatmapExportConfig,
    HeatmapInferConfig,
    HeatmapPrepareConfig,
    HeatmapTrainConfig,
)
from kpt_tools.errors import DataError

EXIT_INTERRUPTED = 130

_PATH = click.Path(path_type=Path)


@click.group("heatmap")
def command() -> None:
    """The keypoints of one object per picture by heatmap regression: the light road, trained in minutes on a CPU.

    The road: prepare, train, eval, infer; export for other runtimes.
    """


@command.command("prepare")
@click.argument("source", type=_PATH)
@click.argument("images_too", metavar="[IMAGES]", type=_PATH, required=False)
@option(HeatmapPrepareConfig, "out", type=_PATH, help="Folder to write.")
@option(HeatmapPrepareConfig, "category", help="Class of the COCO JSON; default: its only one with keypoints.")
@option(HeatmapPrepareConfig, "points", help="Keypoints to keep, with commas; default for CAT: eyes and mouth.")
@option(HeatmapPrepareConfig, "whole", type=click.Choice(WHOLES), help="What one patch shows.")
@option(HeatmapPrepareConfig, "boxes_from_keypoints", is_flag=True, help="Make missing boxes from the points.")
@option(HeatmapPrepareConfig, "split", type=click.Choice(SPLITS), help="By hash with groups, or as the files stand.")
@option(HeatmapPrepareConfig, "val", type=share_or_number, metavar="PART", help="Pictures for val: share or number.")
@option(HeatmapPrepareConfig, "test", type=share_or_number, metavar="PART", help="Pictures for test.")
@option(HeatmapPrepareConfig, "seed", type=int, help="Another seed gives another split.")
@option(HeatmapPrepareConfig, "group_by", help="Regular expression: pictures of equal match stay together.")
@option(HeatmapPrepareConfig, "look_alikes", "--look-alikes/--no-look-alikes", help="Keep look-alikes together.")
@option(HeatmapPrepareConfig, "patch_px", type=int, help="Larger side of the stored patches at most.")
@option(HeatmapPrepareConfig, "workers", type=int, help="Processes that look at files; default: one per core.")
def prepare_command(**settings: Any) -> int:
    """Prepare SOURCE: a folder of CAT, or a COCO JSON with its IMAGES (default: dataset/images).

    Nothing is downloaded. CAT is to be had at https://www.kaggle.com/datasets/crawford/cat-dataset.
    """
    from kpt_tools.cli.findings import print_finding_lines
    from kpt_tools.cli.heatmap_tables import print_prepared
    from kpt_tools.cli.progress import progress_bar
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.heatmap_prepare import REPORT_NAME, heatmap_prepare

    images = settings.pop("images_too")
    config = from_dict(HeatmapPrepareConfig, {**settings, **({"images": images} if images else {})})
    result = heatmap_prepare(config, progress_bar)
    print_finding_lines(result.report.findings, str(result.out / REPORT_NAME))
    print_prepared(result)
    return 0 if result.complete else DataError.exit_code


@command.command("train")
@option(HeatmapTrainConfig, "data", type=_PATH, help="Folder that prepare wrote.")
@option(HeatmapTrainConfig, "run", type=_PATH, help="Folder of the run; an existing one is resumed.")
@option(HeatmapTrainConfig, "recipe", type=click.Choice(tuple(RECIPES)), help="A set of all that follows.")
@option(HeatmapTrainConfig, "model", type=click.Choice(MODELS), help="Network.")
@option(HeatmapTrainConfig, "target", type=click.Choice(TARGETS), help="What the network answers.")
@option(HeatmapTrainConfig, "region", type=click.Choice(REGIONS), help="What the network is shown.")
@option(HeatmapTrainConfig, "size", type=int, help="Side of its input in pixels.")
@option(HeatmapTrainConfig, "epochs", type=int, help="Passes over the training pictures; default: by their number.")
@option(HeatmapTrainConfig, "batch_size", type=int, help="Pictures per step.")
@option(HeatmapTrainConfig, "learning_rate", type=float, help="The highest.")
@option(HeatmapTrainConfig, "optimizer", type=click.Choice(("rmsprop", "adamw")), help="Optimizer.")
@option(HeatmapTrainConfig, "loss", type=click.Choice(("mse", "awing", "own")), help="Loss of heatmaps.")
@option(HeatmapTrainConfig, "shift", type=float, help="Augmentation: moved by at most this share of the side.")
@option(HeatmapTrainConfig, "zoom", type=float, help="Augmentation: scaled by up to 1 + this, up and down.")
@option(HeatmapTrainConfig, "flip", type=float, help="Augmentation: probability of a mirror image.")
@option(HeatmapTrainConfig, "rotate_deg", type=float, help="Augmentation: turned by at most so many degrees.")
@option(HeatmapTrainConfig, "colour", type=float, help="Augmentation: brightness and contrast, at most this share.")
@option(HeatmapTrainConfig, "precision", help="float32, bfloat16 or auto.")
@option(HeatmapTrainConfig, "seed", type=int, help="Seed of weights, order and augmentation.")
def train_command(**settings: object) -> int:
    """Train a heatmap model, or go on with a training that was stopped or killed."""
    from kpt_tools.cli.heatmap_tables import HeatmapProgress, print_trained
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.heatmap_train import heatmap_train

    with HeatmapProgress() as progress:
        result = heatmap_train(from_dict(HeatmapTrainConfig, settings), progress)
    print_trained(result)
    return EXIT_INTERRUPTED if result.interrupted else 0


@command.command("eval")
@click.argument("model", type=_PATH, default=HeatmapEvalConfig.model)
@option(HeatmapEvalConfig, "data", type=_PATH, help="Folder that prepare wrote.")
@option(HeatmapEvalConfig, "side", type=click.Choice(SIDES), help="What to measure on.")
@option(HeatmapEvalConfig, "first", type=_PATH, help="Model that tells a model of crops where to look.")
@option(HeatmapEvalConfig, "decoding", type=click.Choice(DECODINGS), help="From heatmaps to points.")
@option(HeatmapEvalConfig, "out", type=_PATH, help="Folder for eval.json; default: MODEL/eval.")
def eval_command(**settings: object) -> None:
    """Measure MODEL, a run folder or an exported folder (default: runs/heatmap)."""
    from kpt_tools.cli.heatmap_tables import print_measured
    from kpt_tools.cli.image_progress import ImageProgress
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.heatmap_eval import heatmap_eval

    with ImageProgress() as progress:
        result = heatmap_eval(from_dict(HeatmapEvalConfig, settings), progress)
    print_measured(result)


@command.command("infer")
@click.argument("inputs", nargs=-1)
@option(HeatmapInferConfig, "model", type=_PATH, help="Run folder, or exported folder.")
@option(HeatmapInferConfig, "out", type=_PATH, help="Folder for JSON, CSV and pictures.")
@option(HeatmapInferConfig, "first", type=_PATH, help="Model that tells a model of crops where to look.")
@option(HeatmapInferConfig, "boxes", type=_PATH, help="predictions.json of kpt-tools infer: one search per box.")
@option(HeatmapInferConfig, "annotations", type=_PATH, help="COCO JSON whose image and class ids to use.")
@option(HeatmapInferConfig, "min_score", type=float, help="Leave out boxes below.")
@option(HeatmapInferConfig, "decoding", type=click.Choice(DECODINGS), help="From heatmaps to points.")
@option(HeatmapInferConfig, "min_keypoint_score", type=float, help="Do not draw points below; the files keep them.")
@option(HeatmapInferConfig, "no_images", is_flag=True, help="Write no annotated pictures.")
@option(HeatmapInferConfig, "contact_sheet", is_flag=True, help="Write a contact sheet of up to 24 pictures.")
@option(HeatmapInferConfig, "to_coco_annotator", is_flag=True, help="Write pre_annotations.json for its import.")
@option(HeatmapInferConfig, "max_frames", type=int, help="At most so many frames of each video and camera.")
@option(HeatmapInferConfig, "overwrite", is_flag=True, help="Start anew instead of going on with an unfinished run.")
def infer_command(**settings: object) -> int:
    """Find points in INPUTS: images, folders, patterns, videos, URLs or camera:0 (default: dataset/images)."""
    from rich.console import Console

    from kpt_tools.cli.findings import print_finding_lines
    from kpt_tools.cli.image_progress import ImageProgress
    from kpt_tools.cli.infer import result_table
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.heatmap_infer import heatmap_infer
    from kpt_tools.stages.run_manifest import FILE_NAME

    settings["inputs"] = settings["inputs"] or HeatmapInferConfig.inputs
    with ImageProgress() as progress:
        result = heatmap_infer(from_dict(HeatmapInferConfig, settings), progress)
    print_finding_lines(result.findings, str(result.out / FILE_NAME))
    Console().print(result_table(result))
    return DataError.exit_code if result.lost else 0


@command.command("export")
@click.argument("run", type=_PATH, default=HeatmapExportConfig.run)
@option(HeatmapExportConfig, "out", type=_PATH, help="Folder to make; default: RUN/export.")
@option(
    HeatmapExportConfig,
    "formats",
    "--format",
    type=click.Choice(FORMATS),
    multiple=True,
    help="May be given several times; a SavedModel is always written.",
)
def export_command(**settings: object) -> None:
    """Export the best weights of RUN (default: runs/heatmap) and compare all formats on pictures of val."""
    from rich.console import Console

    from kpt_tools.cli.heatmap_tables import print_exported
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.heatmap_export import heatmap_export

    settings["formats"] = tuple(settings["formats"]) or HeatmapExportConfig.formats  # type: ignore[arg-type]
    with Console(stderr=True).status("exporting") as status:
        result = heatmap_export(
            from_dict(HeatmapExportConfig, settings),
            lambda event: status.update(event["name"]) if event["kind"] == "phase" else None,
        )
    print_exported(result)
