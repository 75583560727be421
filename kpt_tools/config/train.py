"""Settings of `kpt-tools train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `kpt-tools train`.

    Attributes:
        config: the pipeline.config.
        run: folder for checkpoints, log, curves and run.json; an existing one is resumed.
        steps: train exactly this many instead of the config's ``num_steps``; the learning-rate schedule is
            stretched or shortened with it.
        checkpoint_every: steps between checkpoints; None: five over the training, but every 50 to 1000 steps.
        precision: "auto", "float32" or "bfloat16".
        seed: of weights, shuffling and augmentation.
        fresh: start from scratch, whatever ``fine_tune_checkpoint`` says.
        transfer: what to take from ``fine_tune_checkpoint``: "match": whatever fits, by name; "detection": the feature
            extractor; "full": everything. The config's ``fine_tune_checkpoint_type`` does not count.
    """

    config: Path = Path("pipeline.config")
    run: Path = Path("runs/train")
    steps: int | None = None
    checkpoint_every: int | None = None
    precision: str = "auto"
    seed: int = 0
    fresh: bool = False
    transfer: str = "match"
