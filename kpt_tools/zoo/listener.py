"""How a download and an unpacking tell how far they are, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears of phases, bytes and troubles."""

    def phase(self, name: str) -> None:
        """A new part of the work begins."""
        ...

    def progress(self, done: int, total: int | None) -> None:
        """`done` of `total` bytes; None: nobody knows how many there will be."""
        ...

    def note(self, text: str) -> None:
        """Something that people should know, as one sentence."""
        ...


class Silent:
    """Says nothing."""

    def phase(self, name: str) -> None:
        """Say nothing."""

    def progress(self, done: int, total: int | None) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


SILENT: Listener = Silent()


def megabytes(count: float) -> str:
    """A number of bytes for people: ``"1.43 GB"``, ``"12.5 MB"``, ``"842 bytes"``."""
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count:.0f} bytes"
