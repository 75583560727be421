"""`kpt-tools train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kpt_tools.cli.options import option
from kpt_tools.config.train import TrainConfig

if TYPE_CHECKING:
    from kpt_tools.stages.overfit import OverfitResult
    from kpt_tools.stages.train import TrainResult

EXIT_INTERRUPTED = 130
EXIT_NOT_LEARNED = 3


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path), default=TrainConfig.config)
@option(TrainConfig, "run", type=click.Path(path_type=Path), help="Folder of the run; an existing one is resumed.")
@option(TrainConfig, "steps", type=int, help="Train exactly this many steps instead of the config's.")
@option(TrainConfig, "batch_size", help="Images per step instead of the config's, or auto: what fits the memory.")
@option(TrainConfig, "checkpoint_every", type=int, help="Steps between checkpoints.")
@option(TrainConfig, "precision", help="auto, float32, bfloat16, or float16 on a GPU.")
@option(TrainConfig, "seed", type=int, help="Seed of weights, shuffling and augmentation.")
@option(TrainConfig, "transfer", help="What to take from the fine-tune checkpoint: match, detection or full.")
@option(TrainConfig, "fresh", is_flag=True, help="Start from scratch, without the fine-tune checkpoint.")
@option(
    TrainConfig,
    "validate",
    "--validate/--no-validate",
    is_flag=True,
    help="Measure on the validation pictures at each checkpoint.",
)
@option(TrainConfig, "best_metric", help="What the best checkpoint is chosen by.")
@option(TrainConfig, "patience", type=int, help="Stop after so many validations without a better one; 0: never.")
@option(TrainConfig, "ema", type=float, help="Decay of a moving average of the weights, such as 0.998; 0: none.")
@option(
    TrainConfig,
    "workers",
    default=None,
    show_default=False,
    help="host:port of each of several processes, with commas; worker 0 first.",
)
@option(TrainConfig, "worker_index", type=int, help="Which of --workers this process is.")
@option(TrainConfig, "rotation", type=float, help="Turn pictures by up to so many degrees; default: 15, 45 or 180.")
@option(TrainConfig, "box_cells", type=int, help="Cells that learn a box: 9, or 1 as in the OD API.")
@option(TrainConfig, "overfit_one_batch", is_flag=True, help="Only see whether one batch can be learnt by heart.")
@click.option("--eval/--no-eval", "measures", default=True, help="Measure the best checkpoint at the end, with a page.")
def command(*, measures: bool, **settings: object) -> int:
    """Train the model of CONFIG (default: pipeline.config), or resume a training."""
    from kpt_tools.cli.train_progress import TrainProgress
    from kpt_tools.config.base import from_dict

    addresses = tuple(filter(None, str(settings["workers"] or "").split(",")))
    config = from_dict(TrainConfig, settings | {"workers": addresses})
    if config.overfit_one_batch:
        from kpt_tools.stages.overfit import overfit_one_batch

        with TrainProgress() as progress:
            return _tell_overfit(overfit_one_batch(config, progress))
    from kpt_tools.stages.train import train

    with TrainProgress() as progress:
        result = train(config, progress)
    is_new = not result.interrupted and result.resumed_from < result.steps
    measures = measures and is_new and result.best is not None and not result.worker
    code = _tell(result, "" if measures else f" Next: kpt-tools eval {result.run}")
    if not measures:
        return code
    from kpt_tools.cli.eval import measure
    from kpt_tools.config.eval import EvalConfig

    return measure(EvalConfig(model=result.run))


def _tell(result: TrainResult, next_step: str) -> int:
    best = result.best
    if result.interrupted:
        click.echo(f"Stopped at step {result.step} of {result.steps}. Run the same command again to go on from there.")
        return EXIT_INTERRUPTED
    if result.worker:
        click.echo(f"Worker {result.worker} trained to step {result.step}; the run is with worker 0.")
        return 0
    if result.resumed_from >= result.steps:
        click.echo(
            f"{result.run}: already trained to step {result.step} of {result.steps}. Use another --run to start anew."
        )
        return 0
    if result.stopped_early:
        click.echo(f"Stopped early at step {result.step} of {result.steps}: {result.stopped_early}.")
    if best is not None:
        click.echo(f"Best checkpoint: step {best.step}, {best.metric} {best.value:.3f}, in {result.run / 'best'}.")
    click.echo(f"Trained to step {result.step}; the run is in {result.run}.{next_step}")
    return 0


def _tell_overfit(result: OverfitResult) -> int:
    if result.interrupted:
        click.echo("Stopped; nothing was learnt from this.")
        return EXIT_INTERRUPTED
    for name, (first, last) in result.parts.items():
        click.echo(f"  {name.removeprefix('Loss/')}: {first:.3f} -> {last:.3f}")
    summary = f"One batch, {result.steps} steps: loss {result.first:.3f} -> {result.last:.3f}."
    if result.learned:
        click.echo(f"{summary} Model and data can learn. The batch: {result.run / 'first_batch.jpg'}")
        return 0
    click.echo(
        f"{summary} That is not learnt: look at {result.run / 'first_batch.jpg'}, whether boxes and points lie on the "
        "objects; run kpt-tools check; try another learning rate."
    )
    return EXIT_NOT_LEARNED
