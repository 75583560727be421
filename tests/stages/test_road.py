"""The whole road with a tiny model: every command, a kill, a resume, a second run."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from html_page import Page
from tiny_project import make_project, run_command

from kpt_tools.config.train import TrainConfig
from kpt_tools.errors import ConfigError
from kpt_tools.odapi import checkpoints
from kpt_tools.stages.best_checkpoint import read_best
from kpt_tools.stages.csv_log import read_rows
from kpt_tools.stages.train import train

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder with records and a config of the CPU template."""
    return make_project(tmp_path_factory.mktemp("project"))


def test_killed_training_resumes_to_the_exact_step_and_the_road_goes_on(project) -> None:
    run = project / "runs" / "train"
    _kill_while_it_writes(project, "ckpt-4")
    first = checkpoints.latest(run)
    assert first is not None
    assert first.step in (2, 4)
    assert json.loads((run / "run.json").read_text())["status"] == "running"

    done = run_command(project, "train", "--checkpoint-every", "2")
    assert done.returncode == 0, done.stderr
    assert f"Resumed from step {first.step}." in done.stderr
    assert "Trained to step 7" in done.stdout
    assert "sigma 0.05" in done.stdout, "measured at the end"
    assert (run / "eval" / "report.html").is_file()
    assert checkpoints.leftovers(run) == []
    assert [int(row["step"]) for row in read_rows(run / "validation.csv")] == [2, 4, 6, 7]
    last = checkpoints.latest(run)
    assert last is not None
    assert last.step == 7
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["status"] == "ok"
    assert manifest["result"]["step"] == 7
    log = (run / "train.log").read_text()
    assert '"statistics_batches": 0' not in log.split('"kind": "checkpoint"')[-1]

    again = run_command(project, "train")
    assert again.returncode == 0
    assert "already trained to step 7 of 7" in again.stdout

    evaluated = run_command(project, "eval")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "sigma 0.05" in evaluated.stdout
    page = Page((run / "eval" / "report.html").read_text(encoding="utf-8"))
    assert page.fetches_nothing()
    assert page.images > 0
    _tensorboard_reads(run)
    best = read_best(run)
    assert best is not None
    measured = json.loads((run / "eval" / "eval.json").read_text())["checkpoint"]
    assert (measured["which"], measured["step"]) == ("best", best.step)
    exported = run_command(project, "export", "--checkpoint", "last")
    assert exported.returncode == 0, exported.stderr
    assert "checkpoint, step 7" in " ".join(exported.stdout.split())
    inferred = run_command(project, "infer", "pliers/images", "--min-score", "0.0")
    assert inferred.returncode == 0, inferred.stderr
    assert re.search(r"export: the (last|best) checkpoint, step 7\b", inferred.stderr), "the best may be the last, too"
    rows = json.loads((project / "predictions" / "predictions.json").read_text())
    assert len(rows) > 0
    assert np.isfinite([row["score"] for row in rows]).all()
    assert all(len(row["keypoints"]) == 15 for row in rows)


def _tensorboard_reads(run) -> None:
    """TensorBoard finds the losses in the run folder, and they are those of results.csv."""
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
    from tensorboard.util import tensor_util

    board = EventMultiplexer().AddRunsFromDirectory(str(run))
    board.Reload()
    with (run / "results.csv").open(encoding="utf-8", newline="") as handle:
        last = list(csv.DictReader(handle))[-1]
    losses = [name for name in last if name.startswith("Loss/")]
    assert len(losses) > 3
    assert set(board.Runs()) == {"train"}
    for name in [*losses, "learning_rate"]:
        event = board.Tensors("train", name)[-1]
        assert event.step == int(last["step"]) == 7
        value = float(tensor_util.make_ndarray(event.tensor_proto))
        assert value == pytest.approx(float(last[name]), rel=1e-4, abs=1e-9), name
        assert board.SummaryMetadata("train", name).plugin_data.plugin_name == "scalars"


def _kill_while_it_writes(project, name: str) -> None:
    """Train, and kill the training with SIGKILL when the first file or folder called like `name` appears.

    The child is stopped in the midst of its work; it is killed a second after its parent, so that the next start finds
    it alive.
    """
    run = project / "runs" / "train"
    process = subprocess.Popen(
        [sys.executable, "-m", "kpt_tools", "train", "--checkpoint-every", "2"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 400
    while not any(run.glob(f"{name}*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.001)
    (child,) = psutil.Process(process.pid).children()
    child.suspend()
    process.send_signal(signal.SIGKILL)
    process.wait()
    threading.Timer(1.0, child.kill).start()


def test_ctrl_c_saves_and_tells_how_to_go_on(project) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kpt_tools", "train", "--run", "runs/stopped", "--steps", "5000"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    results = project / "runs" / "stopped" / "results.csv"
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline and not (results.is_file() and results.stat().st_size > 100):
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Run the same command again to go on from there" in out
    last = checkpoints.latest(project / "runs" / "stopped")
    assert last is not None
    assert last.step >= 1
    assert json.loads((project / "runs" / "stopped" / "run.json").read_text())["status"] == "interrupted"
    _statistics_are_estimated_for_an_export(project / "runs" / "stopped", last)


REFRESH = """
import sys
from pathlib import Path
from kpt_tools.odapi import compat
compat.activate()
import numpy as np
import tensorflow as tf
from kpt_tools.odapi.statistics_refresh import refreshed
config, before, folder = map(Path, sys.argv[1:])
folder.mkdir()
after = refreshed(config, before, folder)
assert refreshed(config, after, folder) == after, "once is enough"
old, new = (tf.train.load_checkpoint(str(path)) for path in (before, after))
names = [name for name in new.get_variable_to_shape_map() if name.startswith("model/")]
changed = [name for name in names if not np.array_equal(old.get_tensor(name), new.get_tensor(name))]
print(len(names), len(changed), all("/moving_" in name for name in changed))
"""


def _statistics_are_estimated_for_an_export(run, checkpoint) -> None:
    """Ctrl-C waits for no statistics, so what is exported of it gets them first; no weight is touched."""
    arguments = [str(run / "pipeline.config"), str(checkpoint.prefix), str(run / "anew")]
    done = subprocess.run([sys.executable, "-c", REFRESH, *arguments], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    batches = min(25, checkpoint.step)
    assert f'{{"kind": "statistics", "batches": {batches}, "records": []}}' in done.stdout
    variables, changed, only_statistics = done.stdout.splitlines()[-1].split()
    assert (changed, only_statistics) == (str(2 * 55), "True")
    assert int(variables) > 2 * 55


def test_a_run_of_another_model_is_refused(project, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(project)
    run = _run_with_a_checkpoint(project, tmp_path / "other", "num_classes: 1", "num_classes: 2")
    with pytest.raises(ConfigError, match=r"holds checkpoints \(step 3\) of a model that differs"):
        train(TrainConfig(config=project / "pipeline.config", run=run))


def test_a_run_folder_may_be_moved(project, monkeypatch, tmp_path) -> None:
    """Its config tells where its label map lay; that is no other model."""

    def preflight(*_: object) -> None:
        raise InterruptedError("nothing was refused")

    monkeypatch.chdir(project)
    monkeypatch.setattr("kpt_tools.stages.train.preflight", preflight)
    place = 'keypoint_label_map_path: "'
    run = _run_with_a_checkpoint(project, tmp_path / "moved", place, f"{place}/elsewhere/")
    with pytest.raises(InterruptedError, match="nothing was refused"):
        train(TrainConfig(config=project / "pipeline.config", run=run))


def _run_with_a_checkpoint(project, run, old: str, new: str):
    """A run folder with a checkpoint of no content; in its config, `old` is replaced by `new`."""
    run.mkdir()
    text = (project / "pipeline.config").read_text()
    assert old in text
    (run / "pipeline.config").write_text(text.replace(old, new))
    for name in ("ckpt-3.index", "ckpt-3.data-00000-of-00001"):
        (run / name).write_bytes(b"x")
    (run / "checkpoint").write_text('model_checkpoint_path: "ckpt-3"\n')
    return run
