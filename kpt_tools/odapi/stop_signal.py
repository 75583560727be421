"""How a training in a child process hears that it is to end."""

from __future__ import annotations

import os
import signal


class StopSignal:
    """Remembers SIGINT or SIGTERM, and notices the death of the parent process."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._seen = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: object) -> None:
        self._seen = True

    def __call__(self) -> bool:
        """Whether the training is to end."""
        return self._seen or os.getppid() != self._parent
