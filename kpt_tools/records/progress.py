"""How a long loop tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps a sequence and yields its items, showing how many are done."""

    def __call__(self, items: Sequence[T], what: str) -> Iterable[T]:
        """Yield `items`; `what` names the work."""
        ...


def silent(items: Sequence[T], what: str) -> Iterable[T]:
    """Show nothing."""
    return items
