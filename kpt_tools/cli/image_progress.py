"""Progress over images, on stderr: a bar with speed and ETA on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_INTERVAL_S = 10.0


class ImageProgress:
    """Callable with the events of `infer` and `evaluate_model`; use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.fields[of]} images"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._begin = self._last_line = time.monotonic()
        self._before = self._done = 0

    def __enter__(self) -> ImageProgress:
        self._bar.start()
        self._task = self._bar.add_task("starting", total=None, of="?", speed="")
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event; unknown kinds are those of an export on the way."""
        if event["kind"] == "phase" and self._task is not None:
            self._begin, self._before = time.monotonic(), self._done
            self._bar.update(self._task, description=event["name"])
        elif event["kind"] == "note":
            self._console.print(event["text"], highlight=False, markup=False, soft_wrap=True)
        elif event["kind"] == "image" and self._task is not None:
            self._image(self._task, event["done"], event["total"])

    def _image(self, task: TaskID, done: int, total: int | None) -> None:
        now = time.monotonic()
        if done < self._done:  # another series
            self._before = 0
        self._done = done
        speed = f"{(done - self._before) / max(now - self._begin, 1e-9):.1f} images/s"
        of = str(total) if total is not None else "?"
        self._bar.update(task, completed=done, total=total, of=of, speed=speed)
        if not self._console.is_terminal and now - self._last_line > LINE_INTERVAL_S:
            self._last_line = now
            self._console.print(f"{done}/{of} images, {speed}", highlight=False)
