"""The training loop under the Keras policies that 16 bits are on GPUs, which work on a CPU, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_project import make_project
from train_program import run_program

from kpt_tools.odapi import checkpoints, compat, pipeline_config

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]

PROGRAM = """
import contextlib
from kpt_tools.odapi import compat
compat.activate()
import tensorflow as tf
tf.config.experimental.enable_op_determinism()  # the same first batch in both
from kpt_tools.odapi import fast_gradients, precision, sparse_heads, validation
from kpt_tools.odapi.programs import train

precision.has_gpu = lambda: True
sparse_heads.in_training = lambda model: contextlib.nullcontext()  # GPUs have neither of these two
fast_gradients.install = lambda model: None
validation.ANSWER_TIMEOUT_S = 0.0  # nobody answers here
train.main()
"""


@pytest.mark.parametrize("low", ["bfloat16", "float16"])
def test_it_trains_validates_and_leaves_a_model_in_float32(tmp_path: Path, low: str) -> None:
    from kpt_tools.odapi import serving

    first: dict[str, float] = {}
    for precision in ("float32", low):
        folder = tmp_path / precision
        folder.mkdir()
        run = make_project(folder) / "run"
        (run / ".validation").mkdir(parents=True)
        told = run_program(PROGRAM, run, steps=3, precision=precision, box_cells=9)
        assert [event["step"] for event in told if event["kind"] == "detections"] == [3]
        first[precision] = next(event["losses"]["Loss/total_loss"] for event in told if event["kind"] == "step")
    assert first[low] != first["float32"], "else the policy did nothing"
    assert first[low] == pytest.approx(first["float32"], rel=0.02)
    compat.activate()
    last = checkpoints.latest(run)
    assert last is not None
    model = serving.restored_model(pipeline_config.read(run.parent / "pipeline.config"), last.prefix)
    assert {variable.dtype.name for variable in model.trainable_variables} == {"float32"}
