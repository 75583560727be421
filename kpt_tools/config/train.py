"""Settings of `kpt-tools train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BOX_CELLS = (1, 9)
BEST_METRICS = ("oks_ap", "oks_ap50", "box_ap", "box_ap50", "pck")


def default_checkpoint_every(steps: int) -> int:
    """Steps between checkpoints in a training of so many: five over the whole, but every 50 to 1000 steps.

    Rounded up, so that the fifth is the last step's and no further one follows a few steps later.
    """
    return min(1000, max(50, -(-steps // 5)))


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `kpt-tools train`.

    Attributes:
        config: the pipeline.config.
        run: folder for checkpoints, log, curves and run.json; an existing one is resumed.
        steps: train exactly this many instead of the config's ``num_steps``; the learning-rate schedule is
            stretched or shortened with it.
        checkpoint_every: steps between checkpoints; None: five over the training, but every 50 to 1000 steps.
        precision: "auto", "float32", "bfloat16", or "float16" on a GPU.
        seed: of weights, shuffling and augmentation.
        fresh: start from scratch, whatever ``fine_tune_checkpoint`` says.
        transfer: what to take from ``fine_tune_checkpoint``: "match": whatever fits, by name; "detection": the feature
            extractor; "full": everything. The config's ``fine_tune_checkpoint_type`` does not count.
        batch_size: images per step instead of the config's; "auto": the config's, or the greatest power of two below
            it that fits the free memory by estimate. The learning rate follows.
        validate: measure on the validation pictures at every checkpoint.
        best_metric: what the best checkpoint is chosen by.
        patience: stop early after so many validations without a better one; 0: never.
        ema: decay of a moving average of the weights, such as 0.998, which is measured and exported in their place;
            0: none.
        workers: "host:port" of each process that trains this model together with others, worker 0 first; none: this
            process alone. All are started with the same settings and files.
        worker_index: which of them this one is.
        rotation: turn training pictures by up to so many degrees, and zoom them a little; 0: leave them; None: 45 if
            objects lie at any angle (``random_rotation90`` in the pipeline.config; 180 if there is only
            ``random_vertical_flip``), else 15.
        box_cells: how many cells of the network learn a box: 9, that of its centre and those around it, or 1, as in the
            OD API.
        overfit_one_batch: instead of training, see whether the model can learn one batch by heart.
    """

    config: Path = Path("pipeline.config")
    run: Path = Path("runs/train")
    steps: int | None = None
    checkpoint_every: int | None = None
    precision: str = "auto"
    seed: int = 0
    fresh: bool = False
    transfer: str = "match"
    batch_size: str | None = None
    validate: bool = True
    best_metric: str = "oks_ap"
    patience: int = 10
    ema: float = 0.0
    workers: tuple[str, ...] = ()
    worker_index: int | None = None
    rotation: float | None = None
    box_cells: int = 9
    overfit_one_batch: bool = False
