"""What a benchmark ran on, and how its times are told."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def machine(*packages: str) -> dict[str, Any]:
    """Processor, cores, load before the benchmark, and versions of Python and of the packages."""
    found: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def summary(seconds: Sequence[float]) -> dict[str, Any]:
    """Median, least and most of some times."""
    return {
        "seconds": [round(each, 3) for each in seconds],
        "median_s": round(statistics.median(seconds), 3),
        "least_s": round(min(seconds), 3),
        "most_s": round(max(seconds), 3),
    }
