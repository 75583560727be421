from __future__ import annotations

import math

import pytest

from kpt_tools.report.learning_curve import TOTAL_LOSS, LearningCurve, parse_results, smoothed

HEADER = "step,images_per_s,learning_rate,Loss/a,Loss/total_loss"


def rows(*steps: int, loss: float = 1.0) -> list[str]:
    return [f"{step},10.0,0.001,0.5,{loss}" for step in steps]


def parsed(*lines: str) -> LearningCurve:
    return parse_results("\n".join([HEADER, *lines]) + "\n")


def test_columns_by_name() -> None:
    curve = parsed("1,2.5,0.001,0.5,4", "2,3.5,0.002,0.25,nan", "3,,0.002,0.25,2")
    assert curve.steps == (1, 2, 3)
    assert curve.losses() == ["Loss/a"]
    assert curve.columns["learning_rate"] == (0.001, 0.002, 0.002)
    assert math.isnan(curve.columns[TOTAL_LOSS][1])
    assert (curve.last(TOTAL_LOSS), curve.last("images_per_s"), curve.last("none")) == (2.0, 3.5, None)
    assert (curve.resumed_at, curve.damaged) == ((), 0)


def test_steps_after_the_last_checkpoint_are_counted_once() -> None:
    """Killed at step 7 with a checkpoint of step 4: 5, 6 and 7 are trained and written again."""
    curve = parsed(*rows(1, 2, 3, 4, 5, 6, 7, loss=9.0), *rows(5, 6, 7, 8, loss=2.0))
    assert curve.steps == (1, 2, 3, 4, 5, 6, 7, 8)
    assert curve.columns[TOTAL_LOSS] == (9.0,) * 4 + (2.0,) * 4
    assert curve.resumed_at == (4,)


@pytest.mark.parametrize(
    ("starts", "steps", "resumed"),
    [
        pytest.param([(1, 4), (3, 6), (5, 7)], (1, 2, 3, 4, 5, 6), (2, 4), id="twice"),
        pytest.param([(1, 6), (5, 7), (3, 5)], (1, 2, 3, 4), (2,), id="from an older checkpoint"),
        pytest.param([(1, 4), (1, 3)], (1, 2), (0,), id="from the beginning"),
        pytest.param([(1, 3), (3, 5)], (1, 2, 3, 4), (), id="a clean end shows no seam"),
    ],
)
def test_resumed(starts: list[tuple[int, int]], steps: tuple[int, ...], resumed: tuple[int, ...]) -> None:
    curve = parsed(*(line for first, end in starts for line in rows(*range(first, end))))
    assert (curve.steps, curve.resumed_at) == (steps, resumed)


def test_rows_that_cannot_be_read_are_counted() -> None:
    curve = parsed(*rows(1), "2,10.0,0.0", "3,x,0.001,0.5,1", *rows(4))
    assert (curve.steps, curve.damaged) == ((1, 4), 2)


@pytest.mark.parametrize("text", ["", HEADER, HEADER + "\n"])
def test_nothing_yet(text: str) -> None:
    curve = parse_results(text)
    assert (curve.steps, curve.trend(), curve.median("images_per_s")) == ((), None, None)


def test_trend_compares_the_last_two_fifths() -> None:
    falling = parsed(*(f"{step},1,1,1,{2.0 if step <= 80 else 1.5}" for step in range(1, 101)))
    assert falling.trend() == pytest.approx(-0.25)
    assert parsed(*rows(*range(1, 101))).trend() == 0.0
    assert parsed(*rows(*range(1, 10))).trend() is None, "too few rows to tell"


def test_smoothing_keeps_length_and_passes_over_nan() -> None:
    values = [1.0] * 100 + [math.nan] + [1.0] * 99
    assert smoothed(values) == [1.0] * 200
    assert smoothed([3.0, 1.0]) == [3.0, 1.0]
