"""Memory of a child process: how it is kept, and how much it took, for the log and for those who wait."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

from kpt_tools.odapi import events

_MALLOC_VARIABLES = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h
_INT_MAX = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep memory that is freed for what is allocated next; whether it does so from now on.

    A step of a training allocates and frees the same tens of megabytes as the one before. The GNU C library gives
    blocks of this size back to the system at once, and every 4 KB of the next one cost a page fault: tens of thousands
    per second. So this comes first in a process that trains and then ends. Where the C library is another one, or
    the user has set its malloc by environment variables, all stays as it is. See mallopt(3).
    """
    if sys.platform != "linux" or any(name in os.environ for name in _MALLOC_VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    without_mmap, without_trimming = mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, _INT_MAX)
    return bool(without_mmap and without_trimming)


def tell_peak_memory() -> None:
    """Emit the event ``memory`` with the most memory that this process has held so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    events.emit("memory", peak_mb=round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6))
