"""Measure the table of versions: one fresh environment per Python and TensorFlow, one conformance run in each.

``python -m tests.conformance.matrix`` measures every cell, ``... 3.13-2.21 3.11-2.15`` only these; other cells stay as
they are. The results go to ``results.json`` beside this file, and from there into docs/odapi-compatibility.md. A cell
takes about 3 GB of disk, which are free again after it, and on two cores some 10 minutes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import runpy
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.fsio import atomic_open

from . import run, table

ODAPI_REQUIREMENT = f"{run.OD_API}==2.8.0.post1"
TEST_TOOLS = ("pytest>=8", "pytest-timeout>=2.3", "pytest-xdist>=3.5", "packaging")


@dataclass(frozen=True)
class Cell:
    """A Python and a TensorFlow, both as major.minor."""

    python: str
    tensorflow: str

    @property
    def name(self) -> str:
        """As on the command line."""
        return f"{self.python}-{self.tensorflow}"


# Where TensorFlow has wheels for that Python.
CELLS = tuple(
    Cell(python, tensorflow)
    for tensorflow, pythons in {
        "2.21": ("3.10", "3.11", "3.12", "3.13"),
        "2.20": ("3.10", "3.11", "3.12", "3.13"),
        "2.19": ("3.10", "3.11", "3.12"),
        "2.18": ("3.10", "3.11", "3.12"),
        "2.17": ("3.10", "3.11", "3.12"),
        "2.16": ("3.10", "3.11", "3.12"),
        "2.15": ("3.10", "3.11"),
    }.items()
    for python in pythons
)


def parse_cell(text: str) -> Cell:
    """``3.13-2.21`` as a cell."""
    python, dash, tensorflow = text.partition("-")
    if not dash or python.count(".") != 1 or tensorflow.count(".") != 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected PYTHON-TENSORFLOW such as 3.13-2.21")
    return Cell(python, tensorflow)


def find_python(version: str) -> str | None:
    """An interpreter of this version: on the path, or one of pyenv's."""
    candidates = [
        shutil.which(f"python{version}"),
        *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
    ]
    for candidate in candidates:
        if candidate is None:
            continue
        done = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.startswith(f"Python {version}."):
            return str(candidate)
    return None


def requirements(cell: Cell) -> list[list[str]]:
    """The arguments of pip, one list per call: the lean set with this TensorFlow, then the OD API by itself."""
    pins = [f"{name}=={cell.tensorflow}.*" for name in ("tensorflow", "tf-keras")]
    arguments = _setup_arguments()
    lean = [*arguments["install_requires"], *arguments["extras_require"]["lean"]]
    return [[*lean, *pins, *TEST_TOOLS], ["--no-deps", ODAPI_REQUIREMENT]]


def _setup_arguments() -> dict[str, Any]:
    """What setup.py declares; the run itself takes kpt_tools from the checkout."""
    found: dict[str, Any] = runpy.run_path(str(run.REPOSITORY / "requirements" / "lock.py"))["setup_arguments"]()
    return found


def measure(cell: Cell, work: Path) -> dict[str, Any]:
    """Make the environment, run the tests in it, take it away again; the result or the error of one cell."""
    head = {"python": cell.python, "tensorflow": cell.tensorflow, "date": datetime.date.today().isoformat()}
    interpreter = find_python(cell.python)
    if interpreter is None:
        return head | {"error": "no such Python on this machine"}
    venv = work / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    try:
        error = _install(cell, interpreter, venv)
        if error:
            return head | {"error": error}
        out = work / cell.name
        subprocess.run(
            [venv / "bin" / "python", "-m", "tests.conformance", "--out", str(out)], cwd=run.REPOSITORY, check=False
        )
        result = out / "result.json"
        if not result.is_file():
            return head | {"error": "the run ended without a result"}
        return head | {"result": json.loads(result.read_text(encoding="utf-8"))}
    finally:
        shutil.rmtree(venv, ignore_errors=True)


def _install(cell: Cell, interpreter: str, venv: Path) -> str:
    """What pip says if the versions do not go together; empty if all is installed."""
    subprocess.run([interpreter, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    for arguments in (["--upgrade", "pip"], *requirements(cell)):
        done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
            return (errors or ["pip failed"])[-1].removeprefix("ERROR: ")
    return ""


def machine() -> str:
    """The processor and the system, for the head of the table."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(": ")[2] if models else cpu
    return f"{os.cpu_count()} cores of {cpu}, {platform.system()}, no GPU"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cells that are named, or all; 1 if one of them was not as expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.matrix", description=__doc__)
    parser.add_argument("cells", nargs="*", type=parse_cell, help="such as 3.13-2.21; default: all")
    parser.add_argument("--work", type=Path, default=run.REPOSITORY / "build" / "matrix", help="for environments, logs")
    parsed = parser.parse_args(arguments)
    good = True
    for cell in parsed.cells or CELLS:
        print(f"== Python {cell.python}, TensorFlow {cell.tensorflow}", flush=True)
        found = measure(cell, parsed.work.resolve())
        good = good and not found.get("error") and not found["result"]["problems"]
        print(table.cell_text(found), flush=True)
        _keep(found)
    return 0 if good else 1


def _keep(found: dict[str, Any]) -> None:
    """Put one cell into results.json and the page."""
    results = table.read()
    others = [c for c in results["cells"] if (c["python"], c["tensorflow"]) != (found["python"], found["tensorflow"])]
    results = {"machine": machine(), "cells": sorted([*others, found], key=table.order)}
    with atomic_open(table.RESULTS) as handle:
        handle.write((json.dumps(results, indent=1) + "\n").encode())
    page = table.into_page(table.PAGE.read_text(encoding="utf-8"), results)
    with atomic_open(table.PAGE) as handle:
        handle.write(page.encode())


if __name__ == "__main__":
    sys.exit(main())
