"""Work ahead of the consumer: pictures are read and decoded in threads while the engine is busy."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    items: Iterable[T], load: Callable[[T], R], pool: ThreadPoolExecutor, window: int
) -> Generator[tuple[T, Future[R]], None, None]:
    """Go through `items` in a thread of its own, start ``load(item)`` in `pool`, and give both in order.

    At most `window` items have been taken and not yet been let go: one is let go when the next one is asked for. So
    memory stays bounded however many items there are. Close the generator to stop early.

    Args:
        items: iterated in another thread; if it is a generator, it is closed there.
        load: runs in `pool`; what it raises is raised by the future's ``result()``.
        pool: its threads do the loading.
        window: at least 1.

    Raises:
        Exception: what iterating `items` raised.
    """
    line: queue.SimpleQueue[tuple[T, Future[R]] | BaseException | None] = queue.SimpleQueue()
    free = threading.Semaphore(window)
    stop = threading.Event()

    def feed() -> None:
        try:
            with contextlib.closing(_closable(items)) as stream:
                for item in stream:
                    free.acquire()
                    if stop.is_set():
                        return
                    line.put((item, pool.submit(load, item)))
            line.put(None)
        except BaseException as exc:  # raised again where the items are awaited
            line.put(exc)

    thread = threading.Thread(target=feed, name="kpt-tools-sources", daemon=True)
    thread.start()
    try:
        while (entry := line.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry
            del entry  # before the next one is awaited
            free.release()
    finally:
        stop.set()
        free.release()
        thread.join()


def _closable(items: Iterable[T]) -> Generator[T, None, None]:
    yield from items
