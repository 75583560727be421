from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from kpt_tools.errors import EngineError, OutOfMemoryError
from kpt_tools.odapi import events
from kpt_tools.odapi.child import child_environment, failure, run_child


def script(body: str) -> list[str]:
    return [sys.executable, "-u", "-c", body]


def press_ctrl_c() -> None:
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_events_arrive_and_everything_is_logged(tmp_path) -> None:
    found: list[dict] = []
    body = "from kpt_tools.odapi import events\nprint('hello')\nevents.emit('step', step=3)\n"
    result = run_child(script(body), tmp_path / "run" / "log", found.append)
    assert found == [{"kind": "step", "step": 3}]
    assert not result.interrupted
    assert "hello" in result.log.read_text()


@pytest.mark.parametrize(
    ("body", "match"),
    [
        pytest.param(
            "raise ValueError('no such flag')", r"failed: ValueError: no such flag \(whole log: ", id="exception"
        ),
        pytest.param(
            "raise type('ResourceExhaustedError', (Exception,), {})('OOM when allocating tensor')",
            "out of memory: .*OOM when allocating",
            id="out-of-memory",
        ),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)",
            r"killed \(signal 9\), by a person or for lack of memory",
            id="sigkill",
        ),
        pytest.param("import os; print('x'); os.kill(os.getpid(), 15)", "died of signal 15 after: x", id="sigterm"),
        pytest.param("import sys; print('bad words'); sys.exit(3)", "failed: bad words", id="exit-status"),
    ],
)
def test_a_failing_child_is_one_clear_error(tmp_path, body: str, match: str) -> None:
    with pytest.raises(EngineError, match=match):
        run_child(script(body), tmp_path / "log", lambda event: None)


@pytest.mark.parametrize(
    ("returncode", "last_line", "oom_killed"),
    [
        pytest.param(-9, "", True, id="killed-by-the-system"),
        pytest.param(1, "ResourceExhaustedError: OOM when allocating tensor", False, id="tensorflow"),
        pytest.param(-6, "terminate called after throwing an instance of 'std::bad_alloc'", False, id="c++"),
        pytest.param(1, "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 2 GiB", False, id="numpy"),
    ],
)
def test_a_lack_of_memory_is_an_error_of_its_own(tmp_path, returncode: int, last_line: str, oom_killed: bool) -> None:
    log = tmp_path / "log"
    log.write_text(f"$ program\nsome words\n{last_line}\n")
    assert isinstance(failure(returncode, log, oom_killed=oom_killed), OutOfMemoryError)


@pytest.mark.parametrize("returncode", [-9, 1, -11])
def test_other_failures_are_none_of_memory(tmp_path, returncode: int) -> None:
    log = tmp_path / "log"
    log.write_text("$ program\nValueError: no such flag\n")
    assert type(failure(returncode, log, oom_killed=False)) is EngineError


def test_an_old_failure_in_the_log_is_not_reported_again(tmp_path) -> None:
    log = tmp_path / "log"
    with pytest.raises(EngineError, match="first"):
        run_child(script("raise ValueError('first')"), log, lambda event: None)
    with pytest.raises(EngineError, match="failed: quiet"):
        run_child(script("import sys; print('quiet'); sys.exit(1)"), log, lambda event: None)


def test_ctrl_c_lets_the_child_save_and_end(tmp_path) -> None:
    body = (
        "import signal, sys, time\n"
        "from kpt_tools.odapi import events\n"
        "stop = []\n"
        "signal.signal(signal.SIGINT, lambda *a: stop.append(1))\n"
        "events.emit('ready')\n"
        "while not stop: time.sleep(0.01)\n"
        "events.emit('saved')\n"
    )
    found: list[str] = []

    def on_event(event: dict) -> None:
        found.append(event["kind"])
        if event["kind"] == "ready":
            threading.Timer(0.1, press_ctrl_c).start()

    result = run_child(script(body), tmp_path / "log", on_event)
    assert result.interrupted
    assert found == ["ready", "saved"]


def test_a_second_ctrl_c_kills(tmp_path) -> None:
    body = (
        "import signal, time\n"
        "from kpt_tools.odapi import events\n"
        "signal.signal(signal.SIGINT, lambda *a: events.emit('deaf'))\n"
        "events.emit('ready')\n"
        "while True: time.sleep(0.01)\n"
    )
    begin = time.monotonic()
    result = run_child(script(body), tmp_path / "log", lambda event: threading.Timer(0.1, press_ctrl_c).start())
    assert result.interrupted
    assert time.monotonic() - begin < 30


def test_a_failing_callback_does_not_leave_the_child_behind(tmp_path) -> None:
    body = "import os, time\nfrom kpt_tools.odapi import events\nevents.emit('pid', pid=os.getpid())\ntime.sleep(60)\n"
    pids: list[int] = []

    def explode(event: dict) -> None:
        pids.append(event["pid"])
        raise RuntimeError("callback failed")

    with pytest.raises(RuntimeError, match="callback failed"):
        run_child(script(body), tmp_path / "log", explode)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param('@kpt-event {"kind": "step", "step": 1}\n', {"kind": "step", "step": 1}, id="event"),
        pytest.param("step 1\n", None, id="ordinary"),
        pytest.param('@kpt-event {"kind": "st', None, id="cut"),
        pytest.param("@kpt-event [1]\n", None, id="no-object"),
    ],
)
def test_event_lines(line: str, expected: object) -> None:
    assert events.parse(line) == expected


def test_environment_reduces_chatter_but_respects_the_user() -> None:
    assert child_environment({})["TF_CPP_MIN_LOG_LEVEL"] == "1"
    assert child_environment({"TF_CPP_MIN_LOG_LEVEL": "0", "PYTHONPATH": "x"})["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert child_environment({"PYTHONPATH": "x"})["PYTHONPATH"].endswith(os.pathsep + "x")


ECHO = (
    "import sys\n"
    "from kpt_tools.odapi import events\n"
    "data = sys.stdin.buffer.read()\n"
    "events.emit('read', size=len(data))\n"
)


def test_what_is_fed_arrives(tmp_path) -> None:
    found: list[dict] = []
    run_child(script(ECHO), tmp_path / "log", found.append, feed=(bytes(1 << 16) for _ in range(40)))
    assert found == [{"kind": "read", "size": 40 << 16}]


def test_without_a_feed_the_input_is_empty(tmp_path) -> None:
    found: list[dict] = []
    run_child(script(ECHO), tmp_path / "log", found.append)
    assert found == [{"kind": "read", "size": 0}]


def test_a_child_that_ends_before_it_has_read_all_is_told_by_its_own_error(tmp_path) -> None:
    with pytest.raises(EngineError, match="failed: ValueError: enough"):
        run_child(
            script("import sys\nsys.stdin.buffer.read(9)\nraise ValueError('enough')"),
            tmp_path / "log",
            lambda event: None,
            feed=(bytes(1 << 16) for _ in range(1000)),
        )


def test_a_failing_feed_ends_the_child(tmp_path) -> None:
    def blocks():
        yield b"x"
        raise OSError("no more pictures")

    begin = time.monotonic()
    with pytest.raises(OSError, match="no more pictures"):
        run_child(script("import time; time.sleep(60)"), tmp_path / "log", lambda event: None, feed=blocks())
    assert time.monotonic() - begin < 30


def test_ctrl_c_ends_a_child_that_is_being_fed(tmp_path) -> None:
    body = "from kpt_tools.odapi import events\nimport time\nevents.emit('ready')\ntime.sleep(60)\n"
    result = run_child(
        script(body),
        tmp_path / "log",
        lambda event: threading.Timer(0.1, press_ctrl_c).start(),
        feed=(bytes(1 << 16) for _ in range(1000)),
    )
    assert result.interrupted
