"""Several processes that train one model: what is refused, and two real ones on this machine."""

from __future__ import annotations

import json
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_project import make_project

from kpt_tools.config.train import TrainConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.odapi import checkpoints
from kpt_tools.stages.csv_log import read_rows
from kpt_tools.stages.train_workers import as_worker, check_batch, check_workers, told_to_workers

TWO = ("10.0.0.5:5000", "10.0.0.6:5000")
PATIENCE_S = 900


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"worker_index": 0}, "--worker-index 0 without --workers", id="index-alone"),
        pytest.param({"workers": ("a", "b:1"), "worker_index": 0}, "'a'; expected host:port", id="no-port"),
        pytest.param({"workers": ("a:1",), "worker_index": 0}, "at least two different", id="one"),
        pytest.param({"workers": ("a:1", "a:1"), "worker_index": 0}, "at least two different", id="twice"),
        pytest.param({"workers": TWO}, "--worker-index is missing; expected 0 to 1", id="no-index"),
        pytest.param({"workers": TWO, "worker_index": 2}, "--worker-index is 2; expected 0 to 1", id="index"),
        pytest.param(
            {"workers": TWO, "worker_index": 0, "batch_size": "auto"}, "--batch-size auto with --workers", id="auto"
        ),
        pytest.param(
            {"workers": TWO, "worker_index": 0, "overfit_one_batch": True}, "--overfit-one-batch with", id="overfit"
        ),
    ],
)
def test_what_cannot_work_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_workers(TrainConfig(**settings))


def test_a_batch_is_shared_out_evenly() -> None:
    check_batch(TrainConfig(workers=TWO, worker_index=0), 8)
    check_batch(TrainConfig(), 7)
    with pytest.raises(ConfigError, match=r"batch size 7 for 2 workers: .* Use --batch-size 8"):
        check_batch(TrainConfig(workers=TWO, worker_index=0), 7)
    with pytest.raises(ConfigError, match=r"batch size 3 for 2 workers: .* Use --batch-size 4"):
        check_batch(TrainConfig(workers=TWO, worker_index=0, batch_size="3"), 8)


def test_all_but_the_first_have_a_folder_of_their_own() -> None:
    first, second = (TrainConfig(workers=TWO, worker_index=index) for index in (0, 1))
    check_workers(first)
    check_workers(second)
    assert as_worker(first) == first
    assert (as_worker(second).run, as_worker(second).validate) == (Path("runs/train/worker-1"), False)
    assert as_worker(TrainConfig()) == TrainConfig()


def fail_as(config: TrainConfig) -> None:
    with told_to_workers(config):
        raise EngineError("it broke (log: train.log).")


def test_an_error_tells_what_to_do_with_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^it broke \(log: train\.log\)\.$"):
        fail_as(TrainConfig(run=tmp_path))
    config = TrainConfig(run=tmp_path, workers=TWO, worker_index=1)
    with pytest.raises(
        EngineError, match=r"worker 1 of .* it broke .* Start all of them again: they go on from the last"
    ):
        fail_as(config)
    for name in ("ckpt-40.index", "ckpt-40.data-00000-of-00001"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-40"\n')
    with pytest.raises(EngineError, match=r"Start all of them again: they go on from step 40\."):
        fail_as(config)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("object_detection")
    return make_project(tmp_path_factory.mktemp("project"))


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "kpt_tools",
        "train",
        "--batch-size",
        "4",
        "--precision",
        "float32",
        "--no-validate",
    ]
    return subprocess.Popen(
        [*command, *arguments], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def start_two(project: Path, *arguments: str) -> list[subprocess.Popen[str]]:
    workers = ",".join(f"localhost:{port}" for port in free_ports(2))
    return [
        start(project, "--run", "runs/two", "--workers", workers, "--worker-index", str(index), *arguments)
        for index in range(2)
    ]


def ended(process: subprocess.Popen[str], timeout: float = PATIENCE_S) -> tuple[int, str]:
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out + err


def losses(run: Path) -> list[float]:
    return [float(row["Loss/total_loss"]) for row in read_rows(run / "results.csv")]


def kill(process: subprocess.Popen[str]) -> None:
    """A worker and its training, as when its machine is switched off."""
    children = psutil.Process(process.pid).children()
    assert len(children) == 1
    for each in (process, *children):
        each.kill()
    process.communicate()


@pytest.mark.odapi
@pytest.mark.slow
def test_two_processes_train_one_model_and_go_on_after_one_was_killed(project: Path) -> None:
    run = project / "runs" / "two"
    settings = ("--steps", "40", "--checkpoint-every", "8")
    first, second = start_two(project, *settings)
    deadline = time.monotonic() + PATIENCE_S
    while len(losses(run)) < 10 and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.2)
    kill(second)
    code, said = ended(first, timeout=120)  # it notices, and waits for nobody
    assert code == 5, said
    last = checkpoints.latest(run)
    assert last is not None
    assert re.search(rf"worker 0 of localhost:\d+, localhost:\d+: .* they go on from step {last.step}\.", said), said
    assert json.loads((run / "run.json").read_text())["status"] == "failed"

    outcomes = [ended(process) for process in start_two(project, *settings)]
    assert [code for code, _ in outcomes] == [0, 0], outcomes
    assert all(f"Resumed from step {last.step}." in said for _, said in outcomes)
    assert "Worker 1 trained to step 40; the run is with worker 0." in outcomes[1][1]
    assert checkpoints.latest(run).step == 40
    assert checkpoints.latest(run / "worker-1") is None
    assert losses(run)[-1] == losses(run / "worker-1")[-1], "the same sum of losses everywhere"

    code, said = ended(start(project, "--run", "runs/one", *settings))
    assert code == 0, said
    alone, together = (statistics.mean(losses(each)[-15:]) for each in (project / "runs" / "one", run))
    assert together == pytest.approx(alone, rel=0.25)
    assert losses(run)[0] == pytest.approx(losses(project / "runs" / "one")[0], rel=0.25)
