"""SIGKILL at random moments of a process that writes checkpoints, one after the other."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kpt_tools.odapi import checkpoints
from kpt_tools.odapi.train_state import TrainState

tf = pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]

KILLS = 25
VALUES = 400_000
"""Of each of ten variables: a checkpoint of 16 MB, which takes its time."""


def parts() -> Any:
    model = tf.Module()
    model.weights = [tf.Variable(tf.zeros([VALUES])) for _ in range(10)]
    return SimpleNamespace(model=model, optimizer=tf.Module(), global_step=tf.Variable(0, dtype=tf.int64))


def go_on(run: Path, told: Any) -> None:
    """Resume, tell from which step and whether all values are those of that step, then save step after step."""
    made = parts()
    state = TrainState(made, None, str(run))
    state.resume()
    step = int(made.global_step)
    whole = all(bool(tf.reduce_all(weight == float(step))) for weight in made.model.weights)
    told.send((step, whole))
    while True:
        step += 1
        made.global_step.assign(step)
        for weight in made.model.weights:
            weight.assign(tf.fill([VALUES], float(step)))
        state.save(step)
        told.send((step, True))


def started(run: Path) -> tuple[Any, Any]:
    """A process that saves in `run`, and the end of the pipe that it tells through.

    It comes from a server that has imported TensorFlow and never used it: a fork of a process that has used it may wait
    forever.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", __name__])
    hear, told = context.Pipe(duplex=False)
    child = context.Process(target=go_on, args=(run, told))
    child.start()
    told.close()
    return child, hear


def test_it_goes_on_from_the_last_checkpoint_that_was_whole(tmp_path: Path) -> None:
    moments = random.Random(0)
    saved, steps, half_written = 0, [], 0
    for _ in range(KILLS):
        child, hear = started(tmp_path)
        step, whole = hear.recv()
        assert whole, f"step {step} was resumed with values of another"
        assert step in (saved, saved + 1), "only a save that was under way may be lost"
        steps.append(step)
        saved, _ = hear.recv()
        time.sleep(moments.uniform(0.0, 0.25))
        child.kill()
        child.join()
        with contextlib.suppress(EOFError):
            while True:
                saved, _ = hear.recv()
        left = checkpoints.leftovers(tmp_path)
        half_written += bool(left)
        for path in left:
            path.unlink() if path.is_file() else [part.unlink() for part in path.iterdir()] + [path.rmdir()]
    assert steps == sorted(steps)
    assert steps[-1] >= KILLS - 1
    assert half_written >= 3, "else the kills did not come while a checkpoint was written"
