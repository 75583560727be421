"""Which checkpoint of a run commands take."""

from __future__ import annotations

from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError

BEST = "best"
LAST = "last"
CHECKPOINTS = (BEST, LAST)


def check_checkpoint(checkpoint: str | None) -> None:
    """Refuse what is neither; None is left open.

    Raises:
        ConfigError: no such choice.
    """
    if checkpoint is not None and checkpoint not in CHECKPOINTS:
        raise ConfigError(f"--checkpoint '{checkpoint}'{did_you_mean(checkpoint, CHECKPOINTS)}")
