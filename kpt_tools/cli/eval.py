"""`kpt-tools eval`."""

from __future__ import annotations

from pathlib import Path

import click

from kpt_tools.cli.options import option
from kpt_tools.config.checkpoint import CHECKPOINTS
from kpt_tools.config.engines import AUTO, ENGINES
from kpt_tools.config.eval import AREA_SOURCES, EvalConfig
from kpt_tools.config.export import PRECISIONS
from kpt_tools.errors import DataError


@click.command("eval")
@click.argument("model", type=click.Path(path_type=Path), default=EvalConfig.model)
@option(EvalConfig, "checkpoint", type=click.Choice(CHECKPOINTS), help="Of a run; default: the best if kept.")
@option(EvalConfig, "engine", type=click.Choice((AUTO, *ENGINES)), help="What runs it; auto: the fastest good one.")
@option(EvalConfig, "precision", type=click.Choice(PRECISIONS), help="Of the model's file; default: float32.")
@option(EvalConfig, "flip_test", is_flag=True, help="Look twice, once in the mirror: better, in twice the time.")
@option(EvalConfig, "records", help="Glob of TFRecord shards; default: the validation records of the run.")
@option(EvalConfig, "annotations", type=click.Path(path_type=Path), help="COCO JSON to measure on; needs --images.")
@option(EvalConfig, "images", type=click.Path(path_type=Path), help="Folder of the images of --annotations.")
@option(EvalConfig, "sigmas", help="OKS sigma for all keypoints, or a JSON file; default: those of the model.")
@option(EvalConfig, "area", type=click.Choice(AREA_SOURCES), help="Area in the OKS formula.")
@option(EvalConfig, "min_score", type=float, help="Leave out detections below; lowers AP.")
@option(EvalConfig, "out", type=click.Path(path_type=Path), help="Folder for eval.json; default: MODEL/eval.")
@option(EvalConfig, "report", "--report/--no-report", is_flag=True, help="Write report.html, too (default: yes).")
def command(**settings: object) -> int:
    """Measure MODEL, a run folder, an exported folder or a zoo model (default: runs/train)."""
    from kpt_tools.config.base import from_dict

    return measure(from_dict(EvalConfig, settings))


def measure(config: EvalConfig) -> int:
    """Measure with a progress bar, and tell the numbers; the exit code."""
    from rich.console import Console

    from kpt_tools.cli.eval_tables import tables
    from kpt_tools.cli.findings import print_finding_lines, print_notes
    from kpt_tools.cli.image_progress import ImageProgress
    from kpt_tools.stages.engine_choice import CHOSEN
    from kpt_tools.stages.eval import RESULT_NAME, evaluate_model
    from kpt_tools.stages.run_export import MEASURED

    with ImageProgress() as progress:
        outcome = evaluate_model(config, progress)
    written = outcome.out / RESULT_NAME
    print_notes(outcome.findings, MEASURED)
    print_notes(outcome.findings, CHOSEN)
    print_finding_lines(outcome.findings, str(written))
    console = Console()
    for table in tables(outcome.result, outcome.truth):
        console.print(table)
    console.print(f"All of it is in {written}", highlight=False, markup=False, soft_wrap=True)
    if outcome.page is not None:
        console.print(f"As a page with pictures: {outcome.page}", highlight=False, markup=False, soft_wrap=True)
    return DataError.exit_code if outcome.lost else 0
