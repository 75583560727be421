"""The same work for many files, on several cores.

Worker processes are spawned, not forked: the parent may hold threads (TensorFlow's, a progress bar's).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from kpt_tools.errors import DataError
from kpt_tools.records.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

LEAST_ITEMS = 200
"""For fewer, starting processes takes longer than the work."""
_CHUNK = 16


def map_items(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int,
    what: str,
    progress: Progress,
    least_items: int = LEAST_ITEMS,
) -> Iterator[R]:
    """Yield ``function(item)`` for each item, in order.

    Args:
        function: of a module's top level (or a `functools.partial` of one), so that other processes find it.
        items: what to work on.
        workers: processes; 1 works in this one.
        what: the name of the work, for `progress`.
        progress: told of every item.
        least_items: fewer items are worked on in this process.

    Raises:
        DataError: a worker process died.
    """
    if workers <= 1 or len(items) < least_items:
        for item in progress(items, what):
            yield function(item)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_parent)
    try:
        results = pool.map(function, items, chunksize=_CHUNK)
        for _ in progress(items, what):
            yield next(results)
    except BrokenProcessPool as exc:
        raise DataError(
            f"{what}: a worker process died, of a lack of memory or of a damaged file; expected it to go on. "
            "Run again with --workers 1 to see at which file."
        ) from exc
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
