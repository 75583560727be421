"""One training at a time in a run folder, also after a kill: what outlived its parent must have ended before."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.fsio import make_folder

FILE_NAME = ".lock"
WAIT_S = 600.0
"""A process whose parent was killed ends after its step; that of a large network takes its time on a CPU."""


@contextlib.contextmanager
def run_lock(run: Path, on_wait: Callable[[], None], wait_s: float = WAIT_S) -> Iterator[tuple[int, ...]]:
    """Hold ``run/.lock`` while the block runs.

    The lock lives as long as any process has its file open. So child processes are to inherit it, and a folder whose
    training was killed is free when the last of its processes has ended.

    Args:
        run: the run folder; made if it is missing.
        on_wait: called once if what a killed training left behind is still running.
        wait_s: how long to wait for that.

    Yields:
        File descriptors that child processes are to inherit; none where the system has no such locks.

    Raises:
        ConfigError: another training is at work there.
        EngineError: a process of a killed one does not end.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield ()
        return

    make_folder(run)
    with (run / FILE_NAME).open("a+", encoding="ascii") as handle:
        deadline = time.monotonic() + wait_s
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _refuse_busy(run, deadline)
            if not waiting:
                on_wait()
            waiting = True
            time.sleep(0.2)
        handle.truncate(0)
        handle.write(f"{os.getpid()} {_started(os.getpid())}\n")
        handle.flush()
        yield (handle.fileno(),)


def _refuse_busy(run: Path, deadline: float) -> None:
    """Raise unless the lock's owner is dead and there is time to wait for its children."""
    owner, _, started = (run / FILE_NAME).read_text(encoding="ascii").strip().partition(" ")
    if owner.isdecimal() and _started(int(owner)) == started:
        raise ConfigError(
            f"{run}: another kpt-tools train (process {owner}) is at work there. Wait for its end, stop it, or choose "
            "another folder with --run."
        )
    if time.monotonic() > deadline:
        raise EngineError(
            f"{run}: a process of a training that was killed has not ended. End it (a python process with "
            "kpt_tools.odapi.programs.train), or choose another folder with --run."
        )


def _started(process: int) -> str:
    """When a process began, as text; "" if there is none: numbers of processes are used again."""
    import psutil

    try:
        return str(psutil.Process(process).create_time())
    except psutil.NoSuchProcess:
        return ""
