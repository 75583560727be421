"""A progress bar on stderr that leaves nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
_FORCED = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
"""Variables by which rich takes something else for a terminal."""


def progress_bar(items: Sequence[T], what: str) -> Iterable[T]:
    """Yield `items` under a bar with count and remaining time; silent where stderr is no terminal."""
    if not sys.stderr.isatty() and not os.environ.keys() & _FORCED:
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield from progress.track(items, description=what)
