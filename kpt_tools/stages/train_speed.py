"""What makes a training faster here, decided before it starts."""

from __future__ import annotations

from pathlib import Path

from kpt_tools.odapi import train_input
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.stages.eval_truth import count_records, find_shards

MOST_KEPT_BYTES = 256 * 1024 * 1024
MOST_KEPT_SHARE = 0.1
"""Of the free memory."""
_CHANNELS = 3


def kept_bytes(resolved: Message, patterns: tuple[str, ...], steps: int, free_bytes: float) -> int:
    """How much memory the decoded training pictures take if they are kept; 0: they are not to be kept.

    They are kept if they are few enough, and are seen more than once.

    Args:
        resolved: the pipeline.config of the run.
        patterns: of the training shards.
        steps: of the training.
        free_bytes: memory that nobody uses.
    """
    train = resolved.train_config
    size = train_input.resized_hw(resolved.model.center_net.image_resizer, train_input.scale_of(train))
    images = count_records([Path(shard) for shard in find_shards(patterns)])
    if size is None or not images or steps * int(train.batch_size) <= images:
        return 0
    needed = images * size[0] * size[1] * _CHANNELS
    return needed if needed <= min(MOST_KEPT_BYTES, free_bytes * MOST_KEPT_SHARE) else 0
