from __future__ import annotations

import math

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.odapi import adjust, pipeline_config

pytest.importorskip("object_detection")

RATES = {
    "cosine": "cosine_decay_learning_rate { learning_rate_base: 0.004 warmup_learning_rate: 0.001 }",
    "constant": "constant_learning_rate { learning_rate: 0.004 }",
    "exponential": "exponential_decay_learning_rate { initial_learning_rate: 0.004 }",
    "steps": "manual_step_learning_rate { initial_learning_rate: 0.004 schedule { step: 5 learning_rate: 0.002 } }",
}


def config(rate: str = RATES["cosine"], batch_size: int = 8):
    text = (
        f"train_config {{ batch_size: {batch_size} optimizer {{ adam_optimizer {{ learning_rate {{ {rate} }} }} }} }}"
    )
    return pipeline_config.parse(text, "pipeline.config")


def rate_text(message) -> str:
    return " ".join(str(message.train_config.optimizer.adam_optimizer.learning_rate).split())


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cosine", "cosine_decay_learning_rate { learning_rate_base: 0.002 warmup_learning_rate: 0.0005 }"),
        ("constant", "constant_learning_rate { learning_rate: 0.002 }"),
        (
            "steps",
            "manual_step_learning_rate { initial_learning_rate: 0.002 schedule { step: 5 learning_rate: 0.001 } }",
        ),
    ],
)
def test_all_rates_of_a_schedule_are_scaled(kind: str, expected: str) -> None:
    message = config(RATES[kind])
    adjust.scale_learning_rate(message, 0.5)
    assert rate_text(message) == expected


def test_an_exponential_schedule_keeps_its_shape() -> None:
    message = config(RATES["exponential"])
    adjust.scale_learning_rate(message, 0.25)
    schedule = message.train_config.optimizer.adam_optimizer.learning_rate.exponential_decay_learning_rate
    assert schedule.initial_learning_rate == pytest.approx(0.001)


def test_a_schedule_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"learning rate of kind 'None': cannot be lowered; expected one of constant"):
        adjust.scale_learning_rate(config(""), 0.5)


def test_a_smaller_batch_takes_the_square_root_of_the_rate_with_it() -> None:
    message = config()
    adjust.set_batch_size(message, 2)
    cosine = message.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert message.train_config.batch_size == 2
    assert cosine.learning_rate_base == pytest.approx(0.004 * math.sqrt(2 / 8))


def test_adjustments_add_up_and_leave_the_original_alone() -> None:
    message = config()
    changes = (
        adjust.Adjustment(adjust.BATCH_SIZE, 0, 4, "memory"),
        adjust.Adjustment(adjust.LEARNING_RATE, 10, 0.5, "nan"),
        adjust.Adjustment(adjust.BATCH_SIZE, 10, 2, "memory"),
    )
    changed = adjust.apply(message, changes)
    cosine = changed.train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate
    assert changed.train_config.batch_size == 2
    assert cosine.learning_rate_base == pytest.approx(0.004 * 0.5 * math.sqrt(2 / 8))
    assert message == config()
    assert adjust.Adjustment(**changes[1].to_dict()) == changes[1]
