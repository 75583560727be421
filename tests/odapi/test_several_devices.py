"""The training loop under MirroredStrategy, with two logical CPUs in the place of two GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_project import make_project
from train_program import run_program

from kpt_tools.odapi import checkpoints

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]

PROGRAM = """
import functools, sys
from kpt_tools.odapi import compat
compat.activate()
import tensorflow as tf
from kpt_tools.odapi import validation
from kpt_tools.odapi.programs import train

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
mirrored = functools.partial(tf.distribute.MirroredStrategy, ["/cpu:0", "/cpu:1"])
train._use_one_device_strategy_where_there_is_one_device = lambda tf: setattr(
    tf.compat.v2.distribute, "MirroredStrategy", mirrored
)
validation.ANSWER_TIMEOUT_S = 0.0  # nobody answers here
train.main()
"""


def train(run: Path, steps: int) -> list[dict[str, Any]]:
    return run_program(PROGRAM, run, steps=steps, precision="float32", keep_decoded=True)


def test_it_trains_validates_and_is_resumed(tmp_path: Path) -> None:
    run = make_project(tmp_path) / "run"
    (run / ".validation").mkdir(parents=True)
    first = train(run, 4)
    assert [event["step"] for event in first if event["kind"] == "checkpoint"] == [3, 4]
    assert [event["step"] for event in first if event["kind"] == "detections"] == [3, 4]
    assert first[-1] == {"kind": "done", "step": 4}
    again = train(run, 5)
    assert [event["step"] for event in again if event["kind"] == "resumed"] == [4]
    assert [event["step"] for event in again if event["kind"] == "checkpoint"] == [5]
    last = checkpoints.latest(run)
    assert last is not None
    assert last.step == 5
