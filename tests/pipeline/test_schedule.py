"""Steps, warm-up and learning rate from the amount of data."""

from __future__ import annotations

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.schedule import Reference, plan, scaled_learning_rate


def zoo(**changes: float) -> Reference:
    values: dict[str, float] = {
        "batch_size": 128,
        "learning_rate": 1e-3,
        "warmup_start": 0.25,
        "max_warmup_steps": 5000,
        "epochs": 100,
        "min_steps": 1000,
        "max_steps": 40000,
        **changes,
    }
    return Reference(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "batch", "steps", "warmup"),
    [
        pytest.param(1, 8, 1000, 100, id="one-image"),
        pytest.param(50, 8, 1000, 100, id="few-images-minimum"),
        pytest.param(93, 8, 1163, 116, id="openfield"),
        pytest.param(300, 8, 3750, 375, id="300"),
        pytest.param(5000, 8, 40000, 4000, id="many-images-maximum"),
        pytest.param(5000, 64, 7813, 781, id="5000-large-batch"),
    ],
)
def test_default_schedule(images: int, batch: int, steps: int, warmup: int) -> None:
    schedule = plan(images, batch, zoo())
    assert (schedule.steps, schedule.warmup_steps) == (steps, warmup)
    assert schedule.epochs == pytest.approx(steps * batch / images)


@pytest.mark.parametrize(
    ("epochs", "steps", "expected", "origin"),
    [
        pytest.param(2, None, 25, "100 images x 2 epochs / batch 8", id="epochs-below-minimum"),
        pytest.param(0.01, None, 1, "100 images x 0.01 epochs", id="less-than-a-batch"),
        pytest.param(9999, None, 124988, "100 images", id="epochs-above-maximum"),
        pytest.param(None, 7, 7, "as given", id="steps"),
        pytest.param(None, None, 1250, "100 images x 100 epochs / batch 8", id="default"),
    ],
)
def test_asked_for(epochs: float | None, steps: int | None, expected: int, origin: str) -> None:
    schedule = plan(100, 8, zoo(), epochs=epochs, steps=steps)
    assert schedule.steps == expected
    assert schedule.origin.startswith(origin)
    assert 0 <= schedule.warmup_steps <= schedule.steps / 10


def test_the_origin_names_the_bound() -> None:
    assert plan(50, 8, zoo()).origin == "the template's minimum (50 images x 100 epochs / batch 8 would be 625)"
    assert "the template's maximum" in plan(5000, 8, zoo()).origin


def test_the_zoos_own_warmup_is_the_limit() -> None:
    assert plan(118_000, 128, zoo(), steps=250_000).warmup_steps == 5000


@pytest.mark.parametrize(
    ("batch", "rate"),
    [
        pytest.param(128, 1e-3, id="reference"),
        pytest.param(32, 5e-4, id="quarter"),
        pytest.param(8, 2.5e-4, id="sixteenth"),
        pytest.param(2, 1.25e-4, id="tiny"),
        pytest.param(1, 8.84e-5, id="one"),
        pytest.param(1024, 1e-3, id="never-above-reference"),
    ],
)
def test_learning_rate(batch: int, rate: float) -> None:
    assert scaled_learning_rate(batch, zoo()) == pytest.approx(rate)
    schedule = plan(300, batch, zoo())
    assert schedule.learning_rate == pytest.approx(rate)
    assert schedule.warmup_learning_rate == pytest.approx(rate / 4, rel=1e-2)


def test_learning_rate_has_a_floor() -> None:
    assert scaled_learning_rate(1, zoo(batch_size=4096)) == pytest.approx(6.25e-5)


def test_learning_rate_as_given() -> None:
    schedule = plan(300, 8, zoo(), learning_rate=0.002)
    assert (schedule.learning_rate, schedule.warmup_learning_rate) == (0.002, 0.0005)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param({"epochs": 3, "steps": 4}, "--epochs 3 and --steps 4 both", id="both"),
        pytest.param({"epochs": 0}, "--epochs is 0; expected a number above 0", id="epochs"),
        pytest.param({"steps": -1}, "--steps is -1", id="steps"),
        pytest.param({"learning_rate": float("nan")}, "--learning-rate is nan", id="nan"),
        pytest.param({"learning_rate": 10}, "--learning-rate is 10; expected at most 1", id="large"),
        pytest.param({"images": 0}, "number of training images is 0", id="no-images"),
        pytest.param({"batch_size": 0}, "--batch-size is 0", id="no-batch"),
    ],
)
def test_refused(changes: dict[str, float], match: str) -> None:
    values: dict[str, float] = {"images": 100, "batch_size": 8, **changes}
    with pytest.raises(ConfigError, match=match):
        plan(reference=zoo(), **values)  # type: ignore[arg-type]
