"""The lock of a run folder, with real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.stages.run_lock import run_lock

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from kpt_tools.stages.run_lock import run_lock

with run_lock(Path(sys.argv[1]), lambda: None) as keep_open:
    child = subprocess.Popen(["sleep", "600"], pass_fds=keep_open)
    print(child.pid, flush=True)
    time.sleep(600)
"""


def nobody_waits() -> None:
    raise AssertionError("there is nothing to wait for")


def holder(run: Path) -> tuple[subprocess.Popen[str], int]:
    """A process that trains in `run`, and the process id of its child."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(run)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_a_second_training_in_one_folder_is_refused(tmp_path: Path) -> None:
    process, child = holder(tmp_path / "run")
    with process:
        message = rf"run: another kpt-tools train \(process {process.pid}\) is at work there\. .* --run"
        with pytest.raises(ConfigError, match=message), run_lock(tmp_path / "run", nobody_waits):
            pytest.fail("two at once")
        os.kill(child, signal.SIGKILL)
        process.kill()


def test_what_outlived_its_parent_is_waited_for(tmp_path: Path) -> None:
    process, child = holder(tmp_path / "run")
    with process:
        process.kill()
    waited: list[float] = []

    def end_it_soon() -> None:
        waited.append(time.monotonic())
        threading.Timer(1.0, os.kill, (child, signal.SIGKILL)).start()

    with run_lock(tmp_path / "run", end_it_soon):
        assert len(waited) == 1
        assert time.monotonic() - waited[0] > 0.8
        owner = (tmp_path / "run" / ".lock").read_text().split()[0]
        assert int(owner) == os.getpid()


def test_what_does_not_end_is_one_clear_error(tmp_path: Path) -> None:
    process, child = holder(tmp_path / "run")
    with process:
        process.kill()
    message = re.escape("a process of a training that was killed has not ended. End it")
    try:
        with pytest.raises(EngineError, match=message), run_lock(tmp_path / "run", lambda: None, wait_s=0.5):
            pytest.fail("it still runs")
    finally:
        os.kill(child, signal.SIGKILL)


def test_it_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with run_lock(tmp_path / "run", nobody_waits) as keep_open:
            assert len(keep_open) == 1
