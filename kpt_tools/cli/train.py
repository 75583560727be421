"""`kpt-tools train`."""

from __future__ import annotations

from pathlib import Path

import click

from kpt_tools.cli.options import option
from kpt_tools.config.train import TrainConfig

EXIT_INTERRUPTED = 130


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path), default=TrainConfig.config)
@option(TrainConfig, "run", type=click.Path(path_type=Path), help="Folder of the run; an existing one is resumed.")
@option(TrainConfig, "steps", type=int, help="Train exactly this many steps instead of the config's.")
@option(TrainConfig, "checkpoint_every", type=int, help="Steps between checkpoints.")
@option(TrainConfig, "precision", help="auto, float32 or bfloat16.")
@option(TrainConfig, "seed", type=int, help="Seed of weights, shuffling and augmentation.")
@option(TrainConfig, "transfer", help="What to take from the fine-tune checkpoint: match, detection or full.")
@option(TrainConfig, "fresh", is_flag=True, help="Start from scratch, without the fine-tune checkpoint.")
def command(**settings: object) -> int:
    """Train the model of CONFIG (default: pipeline.config), or resume a training."""
    from kpt_tools.cli.train_progress import TrainProgress
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.train import train

    config = from_dict(TrainConfig, settings)
    with TrainProgress() as progress:
        result = train(config, progress)
    if result.interrupted:
        click.echo(f"Stopped at step {result.step} of {result.steps}. Run the same command again to go on from there.")
        return EXIT_INTERRUPTED
    if result.resumed_from >= result.steps:
        click.echo(
            f"{result.run}: already trained to step {result.step} of {result.steps}. Use another --run to start anew."
        )
        return 0
    click.echo(f"Trained to step {result.step}; the run is in {result.run}. Next: kpt-tools eval {result.run}")
    return 0
