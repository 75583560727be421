"""Child processes in which the OD API runs: their log, their events, and their end."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kpt_tools
from kpt_tools.errors import EngineError, OutOfMemoryError
from kpt_tools.fsio import make_folder
from kpt_tools.odapi import events

OnEvent = Callable[[dict[str, Any]], None]

_OUT_OF_MEMORY = re.compile(r"ResourceExhausted|OOM when allocating|bad_alloc|MemoryError|Cannot allocate memory")
_TAIL = 20
"""Lines at the end of the log in which the words for a lack of memory count."""
_OOM_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
_EXCEPTION_LINE = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?(\w*(?:Error|Exception|Interrupt))(?::|$)")


@dataclass(frozen=True)
class ChildResult:
    """How a child ended: `interrupted` means that Ctrl-C was pressed and the child stopped for it."""

    interrupted: bool
    log: Path


def run_child(
    command: Sequence[str],
    log: Path,
    on_event: OnEvent,
    *,
    feed: Iterable[bytes] | None = None,
    what: str = "the OD API's process",
    keep_open: Sequence[int] = (),
) -> ChildResult:
    """Run a program, append all its output to `log`, and hand its events over as they come.

    Ctrl-C goes to the child as SIGINT, so that it can save and end; a second Ctrl-C kills it.

    Args:
        command: program and arguments.
        log: file to append to.
        on_event: called with each event, in this thread.
        feed: what to write to its standard input, from another thread; None: it has none.
        what: the name of the process in messages.
        keep_open: file descriptors that the child inherits, such as those of a lock.

    Raises:
        OutOfMemoryError: memory was not enough.
        EngineError: the child failed, or was killed; the message has its last error and the log's path.
        Exception: whatever `feed` raised; the child is killed then.
    """
    make_folder(log.parent)
    kills = oom_kills()
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"$ {' '.join(command)}\n")
        sink.flush()
        started = _start(command, with_input=feed is not None, keep_open=keep_open)
        with started as process, _Feeder(process, feed or ()) as feeder:
            interrupted = _attend(process, sink, on_event)
    if feeder.error is not None:
        raise feeder.error
    if process.returncode != 0 and not interrupted:
        raise failure(process.returncode, log, what, oom_killed=oom_kills() > kills)
    return ChildResult(interrupted, log)


def _attend(process: subprocess.Popen[str], sink: Any, on_event: OnEvent) -> bool:
    """Read the child's output until it ends; whether Ctrl-C was pressed."""
    interrupted = False
    while True:
        try:
            _pump(process, sink, on_event)
            process.wait()
            return interrupted
        except KeyboardInterrupt:
            process.send_signal(signal.SIGKILL if interrupted else signal.SIGINT)
            interrupted = True
        except BaseException:
            process.kill()
            raise


@dataclass
class _Feeder:
    """Writes to the standard input of a child in a thread of its own, while this one reads what the child says."""

    process: subprocess.Popen[str]
    blocks: Iterable[bytes]
    error: Exception | None = field(default=None, init=False)

    def __enter__(self) -> _Feeder:
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        stdin = self.process.stdin
        if not isinstance(stdin, io.TextIOWrapper):
            return  # nothing to feed
        try:
            with stdin.buffer as sink:
                for block in self.blocks:
                    sink.write(block)
        except BrokenPipeError:  # the child has ended; its exit status says why
            return
        except Exception as exc:
            self.error = exc
            self.process.kill()


def _start(command: Sequence[str], *, with_input: bool, keep_open: Sequence[int]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=child_environment(os.environ),
        start_new_session=True,
        pass_fds=tuple(keep_open),
    )


def _pump(process: subprocess.Popen[str], sink: Any, on_event: OnEvent) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        sink.write(line)
        sink.flush()
        event = events.parse(line)
        if event is not None:
            on_event(event)


def program(name: str, *arguments: str) -> list[str]:
    """The command line of one of our own programs around the OD API."""
    return [sys.executable, "-m", f"kpt_tools.odapi.programs.{name}", *arguments]


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The parent's environment, with this kpt_tools importable and TensorFlow's chatter reduced."""
    result = dict(environment)
    home = str(Path(kpt_tools.__file__).resolve().parent.parent)
    result["PYTHONPATH"] = os.pathsep.join(part for part in (home, environment.get("PYTHONPATH", "")) if part)
    result["PYTHONIOENCODING"] = "utf-8"
    result.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    return result


def failure(returncode: int, log: Path, what: str = "the OD API's process", *, oom_killed: bool) -> EngineError:
    """The error for a child that failed, from its exit status and the end of its log.

    Args:
        returncode: of the child; negative for a signal.
        log: its output.
        what: the name of the process in messages.
        oom_killed: whether the system killed a process for lack of memory while the child ran.
    """
    advice = f"(log: {log}). Use a smaller --batch-size or a smaller template; kpt-tools doctor shows the free memory."
    if returncode == -signal.SIGKILL:
        if oom_killed:
            return OutOfMemoryError(f"{what} was killed by the system for lack of memory {advice}")
        return EngineError(f"{what} was killed (signal 9), by a person or for lack of memory {advice}")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    start = max((i for i, line in enumerate(lines) if line.startswith("$ ")), default=0)
    errors = [line.strip() for line in lines[start:] if _EXCEPTION_LINE.match(line)]
    last = errors[-1] if errors else (lines[-1].strip() if lines else "no output")
    if _OUT_OF_MEMORY.search("\n".join([last, *lines[start:][-_TAIL:]])):
        return OutOfMemoryError(f"out of memory: {_shorten(last)} {advice}")
    if returncode < 0:
        return EngineError(f"{what} died of signal {-returncode} after: {_shorten(last)} (log: {log}).")
    return EngineError(f"{what} failed: {_shorten(last)} (whole log: {log}).")


def oom_kills() -> int:
    """How often the system has killed a process for lack of memory since it started; 0 where it does not tell."""
    count = 0
    for path in _OOM_COUNTERS:
        if path.is_file():
            numbers = re.findall(r"^oom_kill (\d+)$", path.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
            count += sum(map(int, numbers))
    return count


def _shorten(line: str, limit: int = 300) -> str:
    return line if len(line) <= limit else line[: limit - 1] + "…"
