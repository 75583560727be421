from __future__ import annotations

import math

import pytest

from kpt_tools.odapi.loss_watch import WINDOW, LossWatch


def look_at(losses: list[float]) -> list[str | None]:
    watch = LossWatch()
    return [watch.look(loss) for loss in losses]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
def test_a_loss_that_is_no_number_is_seen_at_once(value: float) -> None:
    assert look_at([1.0, value]) == [None, f"the loss is {value}"]


def test_a_lasting_explosion_is_seen_and_a_single_peak_is_not() -> None:
    calm = [1.0] * WINDOW
    assert look_at([*calm, 500.0, *calm]) == [None] * (2 * WINDOW + 1)
    found = look_at([*calm, *[50.0] * WINDOW])
    assert found[: WINDOW + 4] == [None] * (WINDOW + 4)
    assert found[WINDOW + 4] == "the loss rose from 1 to 25.5 (medians over 10 steps)"


def test_the_high_losses_of_the_start_are_no_explosion() -> None:
    falling = [1000.0 / (step + 1) for step in range(200)]
    assert look_at(falling) == [None] * 200
