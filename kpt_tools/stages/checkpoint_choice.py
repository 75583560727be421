"""Which checkpoint of a run is taken: the best on its validation pictures, or the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.checkpoint import BEST, LAST
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import sha256_of
from kpt_tools.odapi import checkpoints
from kpt_tools.odapi.checkpoints import CheckpointFile
from kpt_tools.stages.best_checkpoint import best_file, read_best


@dataclass(frozen=True)
class Origin:
    """What is to be known of a checkpoint that something was made from.

    Attributes:
        which: "best" or "last".
        step: of the training.
        sha256: of its index, which has the checksums of all its values.
        metric: what the best was chosen by; None for the last.
        value: of that metric on the validation pictures; None for the last.
    """

    which: str
    step: int
    sha256: str
    metric: str | None = None
    value: float | None = None

    @classmethod
    def of(cls, content: object) -> Origin | None:
        """From JSON; None if it is something else (an export from before it was written down)."""
        names = set(cls.__dataclass_fields__)
        return cls(**content) if isinstance(content, Mapping) and set(content) == names else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)

    @property
    def text(self) -> str:
        """Such as "the best checkpoint, step 200 (oks_ap 0.812 while training)"."""
        text = f"the {self.which} checkpoint, step {self.step}"
        if self.metric is None or self.value is None:
            return text
        return f"{text} ({self.metric} {self.value:.3f} while training)"


@dataclass(frozen=True)
class ChosenCheckpoint:
    """A checkpoint of a run, and what to say of it."""

    file: CheckpointFile
    origin: Origin


def choose_checkpoint(run: Path, which: str | None) -> ChosenCheckpoint | None:
    """The checkpoint that `which` names; None if the run has none at all.

    Args:
        run: a run folder.
        which: "best", "last", or None: the best where one is kept, else the last.

    Raises:
        ConfigError: the best is asked for, and none is kept.
        DataError: best.json is damaged.
    """
    best = best_file(run) if which != LAST else None
    if best is not None:
        kept = read_best(run)
        values = (kept.metric, kept.value) if kept else (None, None)
        return ChosenCheckpoint(best, Origin(BEST, best.step, _fingerprint(best), *values))
    last = checkpoints.latest(run)
    if last is None:
        return None
    if which == BEST:
        raise ConfigError(
            f"{run}: keeps no best checkpoint, for nothing was validated while training; its last is step {last.step}. "
            "Use --checkpoint last."
        )
    return ChosenCheckpoint(last, Origin(LAST, last.step, _fingerprint(last)))


def _fingerprint(checkpoint: CheckpointFile) -> str:
    return sha256_of(checkpoint.prefix.with_name(f"{checkpoint.prefix.name}.index"))
