"""Batches on their way through an engine, several at once where it can, and their answers in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class SideBySide(Generic[T, R]):
    """Calls a function for batches, up to a number of them at once, and gives what it returned in their order.

    One batch more than can be worked on waits, so that nobody is idle when one is done. If there is only one call at a
    time, it is made right away in the caller's thread.
    """

    def __init__(self, calls: int) -> None:
        """Start nothing yet.

        Args:
            calls: how many may run at once, at least 1.
        """
        self._calls = calls
        self._pool = ThreadPoolExecutor(calls, "kpt-tools-detect") if calls > 1 else None
        self._begun: deque[tuple[T, Future[R]]] = deque()
        self._clock = BusyClock()

    @property
    def seconds(self) -> float:
        """For how long at least one call was running."""
        return self._clock.seconds

    def start(self, batch: T, call: Callable[[T], R]) -> Iterator[tuple[T, R]]:
        """Begin ``call(batch)``, and give those that are due; iterate to the end.

        Raises:
            Exception: what the call of a batch that is due raised.
        """
        if self._pool is None:
            yield batch, self._timed(batch, call)
            return
        self._begun.append((batch, self._pool.submit(self._timed, batch, call)))
        while len(self._begun) > self._calls:
            yield self._first()

    def finish(self) -> Iterator[tuple[T, R]]:
        """Give all that are left; iterate to the end."""
        while self._begun:
            yield self._first()

    def close(self) -> None:
        """Forget what has not begun, and wait for what has."""
        self._begun.clear()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _first(self) -> tuple[T, R]:
        batch, future = self._begun.popleft()
        return batch, future.result()

    def _timed(self, batch: T, call: Callable[[T], R]) -> R:
        with self._clock:
            return call(batch)


class BusyClock:
    """Counts the time in which at least one thread is inside its block."""

    def __init__(self) -> None:
        """Nobody is inside."""
        self.seconds = 0.0
        self._inside, self._since, self._lock = 0, 0.0, threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._since = time.perf_counter()
            self._inside += 1

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self.seconds += time.perf_counter() - self._since
