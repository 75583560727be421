"""Work of a copy of the process. Each test runs in a process of its own: pytest's may hold threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/task").is_dir(), reason="no fork here")

HEAD = """
import os, sys, threading, time
from kpt_tools.errors import DataError
from kpt_tools.records.forked import Forked, can_fork, map_in_copies
from kpt_tools.records.progress import silent
"""


def run(code: str) -> str:
    """What a script prints; it has to end well."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_a_process_with_one_thread_can_be_copied() -> None:
    code = """
print(can_fork())
threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
print(can_fork())
"""
    assert run(code).split() == ["True", "False"]


def test_a_copy_works_and_its_results_come_in_order() -> None:
    code = """
def work():
    for number in range(3):
        yield number, os.getpid()
with Forked(work(), "counting") as copy:
    found = list(copy)
print([number for number, _ in found], {pid for _, pid in found} - {os.getpid()} != set())
"""
    assert run(code) == "[0, 1, 2] True\n"


def test_what_the_work_raises_is_raised() -> None:
    code = """
def work():
    yield 1
    raise DataError("a.jpg: changed")
with Forked(work(), "reading") as copy:
    print(next(iter(copy)))
    try:
        list(copy)
    except DataError as exc:
        print(exc)
"""
    assert run(code) == "1\na.jpg: changed\n"


@pytest.mark.parametrize("result", ["os._exit(9)", "b'x' * 200_000, Deadly()"], ids=["at work", "while it sends"])
def test_a_copy_that_dies_is_told(result: str) -> None:
    code = f"""
class Deadly:
    def __reduce__(self):
        os._exit(9)
def work():
    yield {result}
with Forked(work(), "writing train records") as copy:
    try:
        list(copy)
    except DataError as exc:
        print(exc)
"""
    assert run(code).startswith("writing train records: a process died")


def test_an_error_here_ends_the_copy() -> None:
    code = """
def work():
    time.sleep(60)
    yield
begin = time.monotonic()
try:
    with Forked(work(), "waiting") as copy:
        raise ValueError
except ValueError:
    print(time.monotonic() - begin < 30, len(os.popen(f"ps --no-headers --ppid {os.getpid()}").readlines()))
"""
    assert run(code).startswith("True")


def test_a_copy_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    ticks = tmp_path / "ticks"
    code = f"""
def work():
    while True:
        time.sleep(0.05)
        with open({str(ticks)!r}, "a") as handle:
            handle.write(str(os.getpid()) + "\\n")
        yield
with Forked(work(), "ticking") as copy:
    for _ in copy:
        pass
"""
    with subprocess.Popen([sys.executable, "-c", HEAD + code]) as parent:
        deadline = time.monotonic() + 30
        while not ticks.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        parent.send_signal(signal.SIGKILL)
    pid = int(ticks.read_text().split()[0])
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 10, 11, 35])
def test_copies_map_ahead_in_order(count: int, copies: int) -> None:
    code = f"""
seen = []
def progress(items, what):
    for item in items:
        seen.append(what)
        yield item
options = dict(copies={copies}, what="doubling", progress=progress, chunk=5)
found = list(map_in_copies(lambda number: (2 * number, os.getpid()), range({count}), **options))
print([number for number, _ in found] == [2 * number for number in range({count})], len(seen))
print(os.getpid() in {{pid for _, pid in found}}, len({{pid for _, pid in found}}))
"""
    assert run(code) == f"True {count}\nFalse {min(copies, -(-count // 5))}\n"


def test_errors_of_a_copy_that_maps_come_through() -> None:
    code = """
def fail(number):
    raise ValueError(f"item {number}")
try:
    list(map_in_copies(fail, range(10), copies=2, what="x", progress=silent))
except ValueError as exc:
    print(exc)
"""
    assert run(code) == "item 0\n"
