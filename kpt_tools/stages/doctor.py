"""Tell what is installed, which compatibility fixes are active, and what the machine has."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kpt_tools.config.doctor import DoctorConfig
from kpt_tools.errors import EngineError
from kpt_tools.lazy import how_to_install
from kpt_tools.odapi import compat, precision
from kpt_tools.odapi.child import program, run_child
from kpt_tools.odapi.fixes import FIXES

State = Literal["ok", "note", "problem"]
GIB = 1024**3
LEAST_FREE_DISK_GIB = 5.0
LEAST_FREE_MEMORY_GIB = 4.0
PYTHON_RANGE = ((3, 10), (3, 13))

# distribution, needed for, extra
_PACKAGES = (
    ("numpy", "everything", ""),
    ("pillow", "images", ""),
    ("protobuf", "records and configs", ""),
    ("crc32c", "records", ""),
    ("opencv-python-headless", "the demo's pictures", ""),
    ("pycocotools", "eval", ""),
    ("tensorflow", "train, eval, export, infer", "train"),
    ("tf_keras", "train, export", "train"),
    ("tf-slim", "train, export", "train"),
    ("tf-models-research-object-detection", "train, export", "train"),
    ("tensorboard", "curves", "train"),
)
# The OD API imports these; the compatibility layer has stand-ins for them. The lean environment does without.
_REPLACEABLE = (
    ("tf-models-official", "Only use_moving_average: true needs it, which no template sets."),
    ("lvis", "Only the metrics of the LVIS data set need it."),
)


@dataclass(frozen=True)
class Row:
    """One line of the doctor's table: what was looked at, what was found, and what to do about it."""

    section: str
    item: str
    found: str
    state: State
    advice: str = ""


@dataclass(frozen=True)
class DoctorResult:
    """All rows; `healthy` is False if any of them is a problem."""

    rows: tuple[Row, ...]

    @property
    def healthy(self) -> bool:
        """No row is a problem."""
        return all(row.state != "problem" for row in self.rows)


def doctor(config: DoctorConfig) -> DoctorResult:
    """Look at Python, packages, the OD API, accelerators, memory and disk; raises nothing for what it finds."""
    rows = [_python(), *_packages(), *_machine(config.folder)]
    if config.quick:
        rows.append(Row("OD API", "compatibility", "not tried (--quick)", "note"))
    elif any(row.state == "problem" and row.section == "package" for row in rows):
        rows.append(Row("OD API", "compatibility", "not tried: packages are missing", "problem"))
    else:
        rows.extend(_odapi())
    return DoctorResult(tuple(rows))


def _python() -> Row:
    version = platform.python_version_tuple()
    supported = PYTHON_RANGE[0] <= (int(version[0]), int(version[1])) <= PYTHON_RANGE[1]
    advice = "" if supported else "Use Python 3.10 to 3.13: TensorFlow and the lock have packages for these."
    return Row("python", "Python", platform.python_version(), "ok" if supported else "problem", advice)


def _packages() -> Iterator[Row]:
    for name, purpose, extra in _PACKAGES:
        version = _version(name)
        if version is None:
            yield Row("package", name, "not installed", "problem", f"Needed for {purpose}. {how_to_install(extra)}")
        else:
            yield Row("package", name, version, "ok")
    for name, use in _REPLACEABLE:
        yield Row("package", name, _version(name) or "not installed", "ok", use)
    yield from _keras_of_another_tensorflow(_version("tensorflow"), _version("tf_keras"))


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _keras_of_another_tensorflow(tensorflow: str | None, tf_keras: str | None) -> Iterator[Row]:
    """A problem if both are installed and their minor versions differ."""
    if tensorflow is None or tf_keras is None:
        return
    minor = ".".join(tensorflow.split(".")[:2])
    if tf_keras.split(".")[:2] != minor.split("."):
        advice = f"TensorFlow {tensorflow} needs the same minor version: pip install 'tf-keras=={minor}.*'"
        yield Row("package", "tf_keras", tf_keras, "problem", advice)


def _machine(folder: Path) -> Iterator[Row]:
    import psutil

    memory = psutil.virtual_memory().available / GIB
    yield Row(
        "machine",
        "free memory",
        f"{memory:.1f} GiB",
        "ok" if memory >= LEAST_FREE_MEMORY_GIB else "note",
        ""
        if memory >= LEAST_FREE_MEMORY_GIB
        else "Small CPU templates need about 3 GiB, Hourglass-104 about 6 GiB at batch 1.",
    )
    disk = shutil.disk_usage(folder).free / GIB
    yield Row(
        "machine",
        "free disk",
        f"{disk:.1f} GiB",
        "ok" if disk >= LEAST_FREE_DISK_GIB else "problem",
        ""
        if disk >= LEAST_FREE_DISK_GIB
        else "A Hourglass-104 checkpoint is 2.3 GB and three are kept: free some space.",
    )
    bfloat16 = precision.cpu_has_bfloat16()
    found = f"{os.cpu_count()} cores, {'with' if bfloat16 else 'without'} bfloat16"
    yield Row("machine", "CPU", found, "ok", "" if bfloat16 else "Training runs in float32.")


def _odapi() -> Iterator[Row]:
    event: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="kpt-tools-doctor-") as folder:
        try:
            run_child(program("selfcheck"), Path(folder) / "selfcheck.log", event.update)
        except EngineError as exc:
            yield Row("OD API", "import", str(exc), "problem", "Compare the versions above with the documentation.")
            return
    yield Row("OD API", "import", f"{len(event['modules'])} programs in {event['seconds']} s", "ok")
    yield from _fixes(event["states"])
    gpus = ", ".join(event["gpus"]) or "none"
    advice = (
        ""
        if event["gpus"]
        else "Training runs on the CPU: use the CPU template. For a GPU: pip install 'tensorflow[and-cuda]'"
    )
    yield Row("machine", "accelerator", gpus, "ok" if event["gpus"] else "note", advice)


def _fixes(states: dict[str, str]) -> Iterator[Row]:
    reasons = {fix.name: f"{fix.versions}: {fix.reason}" for fix in FIXES}
    reasons |= {f"{stub.module}-stub": f"{stub.versions}: {stub.reason}" for stub in compat.STUBS}
    reasons["legacy-keras"] = "TensorFlow >= 2.16: Keras 3 is the default; the OD API needs Keras 2 (tf-keras)"
    for name, state in states.items():
        yield Row("fix", name, state, "ok", reasons.get(name, ""))
