"""The supervisor with real child processes that play a training."""

from __future__ import annotations

import sys

import pytest

from kpt_tools.errors import EngineError, OutOfMemoryError
from kpt_tools.odapi import checkpoints, pipeline_config
from kpt_tools.stages.csv_log import read_rows
from kpt_tools.stages.train_supervisor import CONFIG_NAME, RESULTS_NAME, Progress, Supervisor

pytest.importorskip("object_detection")

CONFIG = """
train_config { batch_size: 8 optimizer { adam_optimizer { learning_rate {
  cosine_decay_learning_rate { learning_rate_base: 0.004 warmup_learning_rate: 0.001 }
} } } }
"""

PLAY = """
import pathlib, sys
from kpt_tools.odapi import events, pipeline_config

run = pathlib.Path(sys.argv[1])
train = pipeline_config.read(run / "pipeline.config").train_config
rate = train.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.learning_rate_base

def step(number):
    events.emit("step", step=number, images_per_s=1.0, learning_rate=rate, losses={"Loss/total_loss": 1.0})

def save(number):
    for suffix in (".index", ".data-00000-of-00001"):
        (run / f"ckpt-{number}{suffix}").write_text("x")
    paths = sorted(run.glob("ckpt-*.index"), key=lambda path: int(path.stem.split("-")[1]))
    lines = [f'model_checkpoint_path: "{paths[-1].stem}"'] + [f'all_model_checkpoint_paths: "{p.stem}"' for p in paths]
    (run / "checkpoint").write_text(chr(10).join(lines))

def diverge(number):
    events.emit("diverged", step=number, reason="the loss is nan")
    sys.exit(0)

def no_memory():
    raise type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor")
"""


def supervise(tmp_path, body: str, progress: Progress | None = None):
    run = tmp_path / "run"
    run.mkdir(exist_ok=True)
    events: list[dict] = []
    command = [sys.executable, "-c", PLAY + body, str(run)]
    message = pipeline_config.parse(CONFIG, "pipeline.config")
    supervisor = Supervisor(run, message, command, None, progress or Progress(), events.append)
    return run, supervisor, events


def test_memory_that_is_not_enough_halves_the_batch_until_it_is(tmp_path) -> None:
    body = "step(1)\nif train.batch_size > 2: no_memory()\nsave(5)\n"
    run, supervisor, events = supervise(tmp_path, body)
    progress = supervisor.run()
    assert [(a.setting, a.value) for a in progress.adjustments] == [("batch_size", 4), ("batch_size", 2)]
    assert [event["value"] for event in events if event["kind"] == "adjusted"] == [4, 2]
    assert pipeline_config.read(run / CONFIG_NAME).train_config.batch_size == 2


def test_a_batch_of_one_cannot_be_halved(tmp_path) -> None:
    _, supervisor, _ = supervise(tmp_path, "no_memory()\n")
    with pytest.raises(OutOfMemoryError, match="out of memory: ResourceExhaustedError"):
        supervisor.run()


def test_an_exploding_loss_goes_on_from_the_last_checkpoint_with_half_the_rate(tmp_path) -> None:
    body = "step(1); save(1); step(2)\nif rate > 0.003: diverge(2)\nstep(3); save(3)\n"
    run, supervisor, _ = supervise(tmp_path, body)
    progress = supervisor.run()
    assert [(a.setting, a.step, a.value, a.reason) for a in progress.adjustments] == [
        ("learning_rate", 1, 0.5, "step 2: the loss is nan")
    ]
    latest = checkpoints.latest(run)
    assert latest is not None
    assert latest.step == 3
    assert [row["learning_rate"] for row in read_rows(run / RESULTS_NAME)][-1] == "0.002"


def test_a_checkpoint_that_diverges_twice_is_no_good_one(tmp_path) -> None:
    body = (
        "import re\n"
        "if not (run / 'checkpoint').exists(): save(1); save(2)\n"
        "start = re.search('ckpt-([0-9]+)', (run / 'checkpoint').read_text()).group(1)\n"
        "(run / 'starts').open('a').write(start + ' ')\n"
        "diverge(3) if start == '2' else save(9)\n"
    )
    run, supervisor, _ = supervise(tmp_path, body)
    progress = supervisor.run()
    assert (run / "starts").read_text().split() == ["2", "2", "1"]
    assert len(progress.adjustments) == 2


def test_a_loss_that_explodes_at_any_rate_is_one_clear_error(tmp_path) -> None:
    _, supervisor, events = supervise(tmp_path, "diverge(4)\n")
    with pytest.raises(EngineError, match="the loss is nan at step 4, after 3 cuts of the learning rate"):
        supervisor.run()
    assert len([event for event in events if event["kind"] == "adjusted"]) == 3


def test_changes_of_an_earlier_start_hold_on(tmp_path) -> None:
    _, first, _ = supervise(tmp_path, "if train.batch_size > 4: no_memory()\nsave(1)\n")
    earlier = first.run()
    run, second, events = supervise(tmp_path, "save(2)\n", Progress(earlier.adjustments))
    second.run()
    assert pipeline_config.read(run / CONFIG_NAME).train_config.batch_size == 4
    assert events == []


def test_steps_that_were_lost_leave_the_table(tmp_path) -> None:
    run, first, _ = supervise(tmp_path, "step(1); step(2); step(3)\n")
    first.run()
    _, second, _ = supervise(tmp_path, "events.emit('resumed', step=1, checkpoint='')\nstep(2)\n")
    second.run()
    assert [row["step"] for row in read_rows(run / RESULTS_NAME)] == ["1", "2"]


def test_the_child_hears_which_checkpoint_was_validated_last(tmp_path) -> None:
    class Validator:
        def validated_step(self) -> int:
            return 40

    run, supervisor, _ = supervise(tmp_path, "(run / 'flags').write_text(' '.join(sys.argv[2:]))\nsave(50)\n")
    supervisor._validator = Validator()
    supervisor.run()
    assert (run / "flags").read_text() == "--kpt_validated_step=40"
