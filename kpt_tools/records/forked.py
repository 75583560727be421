"""A copy of this process that does part of the work: it starts within two milliseconds, with everything loaded.

A process that is started anew has to import all it needs, which takes longer than writing a small data set.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Generic, TypeVar

from kpt_tools.errors import DataError
from kpt_tools.records.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

_THREADS = Path("/proc/self/task")
_VALUE, _END, _ERROR = range(3)
_PIPE_BYTES = 1 << 20
"""What a copy may be ahead of who takes its results: the most that Linux gives everyone."""


def can_fork() -> bool:
    """Whether this process can be copied: it has one thread only, since others would be missing in the copy."""
    return hasattr(os, "fork") and _THREADS.is_dir() and len(os.listdir(_THREADS)) == 1


class Forked(Generic[T]):
    """Work of a copy of this process; a context manager, at whose end the copy is gone.

    The copy has all that this process has at its start, and must not use what cannot be shared (databases). What it
    yields is pickled; it waits where nobody takes it. If this process is killed, it ends with the next item, or where
    the work calls `end_with`.
    """

    def __init__(self, work: Iterable[T], what: str) -> None:
        """Start the copy.

        Args:
            work: what it does; only the copy iterates.
            what: the name of the work, for errors.
        """
        self._what = what
        parent = os.getpid()
        pipe, write = os.pipe()
        _enlarge(write)
        self._pid = os.fork()
        if self._pid:
            os.close(write)
            self._pipe = os.fdopen(pipe, "rb")
            return
        try:
            os.close(pipe)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it, too, and ends this process
            with os.fdopen(write, "wb") as handle:
                _send(handle, work, parent)
        finally:
            os._exit(0)

    def __iter__(self) -> Iterator[T]:
        """What the work yields.

        Raises:
            DataError: the copy died.
            Exception: what the work raised.
        """
        while True:
            try:
                kind, value = pickle.load(self._pipe)
            except (EOFError, pickle.UnpicklingError) as exc:
                raise DataError(
                    f"{self._what}: a process died, perhaps of a lack of memory; expected it to go on. Run again."
                ) from exc
            if kind == _ERROR:
                raise value
            if kind == _END:
                return
            yield value

    def __enter__(self) -> Forked[T]:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the copy, if it is still at work."""
        if exc is not None:
            os.kill(self._pid, signal.SIGKILL)
        self._pipe.close()
        os.waitpid(self._pid, 0)


def end_with(parent: int) -> None:
    """End this process, which is a copy of `parent`, if that is gone."""
    if os.getppid() != parent:
        os._exit(1)


def _send(handle: IO[bytes], work: Iterable[T], parent: int) -> None:
    last: tuple[int, object] = _END, None
    try:
        for value in work:
            pickle.dump((_VALUE, value), handle)
            handle.flush()
            end_with(parent)
    except Exception as exc:  # whatever it is, the parent raises it
        last = _ERROR, exc
    pickle.dump(last, handle)


def _enlarge(pipe: int) -> None:
    """Let a pipe hold more than the usual 64 KiB, where the system can and this user may."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the pipes of a user may have reached what they may hold together
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class Copies(Iterator[T]):
    """What copies of this process find; they work from the start, also before the first item is asked for."""

    def __init__(self, found: Iterator[T], copies: contextlib.ExitStack) -> None:
        """Take what they find, and what ends them."""
        self._found, self._copies = found, copies

    def __next__(self) -> T:
        """The next item."""
        return next(self._found)

    def close(self) -> None:
        """End the copies."""
        self._copies.close()


def map_in_copies(
    function: Callable[[T], R], items: Sequence[T], *, copies: int, what: str, progress: Progress, chunk: int = 64
) -> Copies[R]:
    """``function(item)`` for each item, in order, while copies of this process work ahead; they begin at once.

    Args:
        function: any.
        items: what to work on.
        copies: their number.
        what: the name of the work, for `progress`.
        progress: told of every item.
        chunk: number of items whose results are sent together.
    """
    stack = contextlib.ExitStack()
    results = [
        iter(stack.enter_context(Forked(_chunks(function, items, first * chunk, copies * chunk, chunk), what)))
        for first in range(copies)
    ]
    found = chain.from_iterable(next(results[turn % copies]) for turn in range(-(-len(items) // chunk)))

    def told() -> Iterator[R]:
        with stack:
            for _ in progress(range(len(items)), what):
                yield next(found)

    return Copies(told(), stack)


def _chunks(function: Callable[[T], R], items: Sequence[T], first: int, step: int, length: int) -> Iterator[list[R]]:
    for start in range(first, len(items), step):
        yield [function(item) for item in items[start : start + length]]
