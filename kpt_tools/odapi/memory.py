"""How much memory a child process took, for the log and for those who wait."""

from __future__ import annotations

import resource
import sys

from kpt_tools.odapi import events


def tell_peak_memory() -> None:
    """Emit the event ``memory`` with the most memory that this process has held so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    events.emit("memory", peak_mb=round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6))
