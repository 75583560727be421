"""The same work for many files, on several cores.

Worker processes are copies of this one where it has no other threads (TensorFlow's, a progress bar's), which are ready
at once; else they are started anew.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

from kpt_tools.errors import DataError
from kpt_tools.records.forked import can_fork
from kpt_tools.records.progress import Progress

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")

LEAST_ITEMS = 200
"""For fewer, starting processes takes longer than the work."""
_CHUNK = 16
_AHEAD = 4
"""Chunks of work per process that wait, so that none is idle and memory stays small."""
_LARGE_AHEAD = 2
"""The same, where a chunk is one large item."""


class MadeWhenAsked(Sequence[T]):
    """Items that are made one by one when they are asked for, so that not all of them are in memory."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        """Take the number of items, and what makes one from its place."""
        self._places, self._make = range(count), make

    def __len__(self) -> int:
        """Their number."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """One of them, or a part."""
        if isinstance(index, slice):
            return [self._make(place) for place in self._places[index]]
        return self._make(self._places[index])


class Mapper(Protocol):
    """Applies a function to many items elsewhere, and gives the results in order."""

    def __call__(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        what: str,
        failed: Callable[[T, str], R],
        complaint: Callable[[T, R], str] = ...,
        part: int = ...,
    ) -> Iterator[R]:
        """Yield ``function(item)`` of each item; where that raises, ``failed(item, reason)``.

        `complaint` says why an item failed though nothing was raised, ""; `part`: items that go together.
        """
        ...


def map_items(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int,
    what: str,
    progress: Progress,
    least_items: int = LEAST_ITEMS,
    large: bool = False,
) -> Generator[R]:
    """Yield ``function(item)`` for each item, in order.

    Args:
        function: of a module's top level (or a `functools.partial` of one), so that other processes find it.
        items: what to work on.
        workers: processes; 1 works in this one.
        what: the name of the work, for `progress`.
        progress: told of every item.
        least_items: fewer items are worked on in this process.
        large: an item is work for a tenth of a second or more; it goes to a process by itself, however few there are.

    Raises:
        DataError: a worker process died.
    """
    if workers <= 1 or (len(items) < least_items and not large):
        for item in progress(items, what):
            yield function(item)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    workers = min(workers, len(items))
    context = get_context("fork" if can_fork() else "spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_parent)
    try:
        pool.submit(_leave_interrupts_to_parent)  # copies are made now, before a progress bar starts a thread
        chunk, ahead = (1, _LARGE_AHEAD) if large else (_CHUNK, _AHEAD)
        results = _in_order(pool, function, items, chunk, ahead * workers)
        for _ in progress(range(len(items)), what):
            yield next(results)
    except BrokenProcessPool as exc:
        raise DataError(
            f"{what}: a worker process died, of a lack of memory or of a damaged file; expected it to go on. "
            "Run again with --workers 1 to see at which file."
        ) from exc
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: Executor, function: Callable[[T], R], items: Sequence[T], chunk: int, ahead: int) -> Iterator[R]:
    """The results, with at most `ahead` chunks of work waiting for a process or to be taken."""
    pending: deque[Future[list[R]]] = deque()
    for start in range(0, len(items), chunk):
        pending.append(pool.submit(_work, function, items[start : start + chunk]))
        if len(pending) >= ahead:
            yield from pending.popleft().result()
    while pending:
        yield from pending.popleft().result()


def _work(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [function(item) for item in items]


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
