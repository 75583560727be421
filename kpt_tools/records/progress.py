"""How a long loop tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")
_MEBIBYTE = 1 << 20
_TOLD_FROM = 16 << 20
"""In bytes: a smaller file is read before anybody asks how long it takes."""


class Progress(Protocol):
    """Wraps a sequence and yields its items, showing how many are done."""

    def __call__(self, items: Sequence[T], what: str) -> Iterable[T]:
        """Yield `items`; `what` names the work."""
        ...


def silent(items: Sequence[T], what: str) -> Iterable[T]:
    """Show nothing."""
    return items


@contextmanager
def chunk_progress(path: Path, progress: Progress, *, passes: int) -> Iterator[Callable[[], None]]:
    """Something to be called for each mebibyte of a file that is read `passes` times; small files are not told."""
    size = path.stat().st_size if path.is_file() else 0
    if size < _TOLD_FROM:
        yield lambda: None
        return
    with counted(passes * -(-size // _MEBIBYTE), f"reading {path.name}", progress) as on_chunk:
        yield on_chunk


@contextmanager
def counted(count: int, what: str, progress: Progress) -> Iterator[Callable[[], None]]:
    """Something to be called `count` times, before each item."""
    told = iter(progress(range(count), what))

    def on_item() -> None:
        next(told, None)

    try:
        yield on_item
        next(told, None)  # the last one is done
    finally:
        if isinstance(told, Generator):
            told.close()  # another bar can only be shown when this one has gone
