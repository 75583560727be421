from __future__ import annotations

import pytest

from kpt_tools.config.train import default_checkpoint_every


@pytest.mark.parametrize(("steps", "every"), [(1, 50), (250, 50), (251, 51), (3600, 720), (5000, 1000), (17500, 1000)])
def test_five_checkpoints_within_limits(steps: int, every: int) -> None:
    assert default_checkpoint_every(steps) == every


@pytest.mark.parametrize("steps", [987, 1003, 2999])
def test_no_checkpoint_just_before_the_last_step(steps: int) -> None:
    every = default_checkpoint_every(steps)
    saved = [*range(every, steps, every), steps]
    assert len(saved) == 5
    assert saved[-1] - saved[-2] > every // 2
