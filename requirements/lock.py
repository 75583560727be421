"""Make the lock files anew: ``make lock``.

Pins that still fit stay; ``make lock LOCK_OPTIONS=--upgrade`` takes the newest of everything.

Each lock is one file for all supported versions of Python and all systems, with the hashes of all files, made by
`uv pip compile --universal`. They are installed by ``pip install --no-deps -r``: they are complete.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
OLDEST_PYTHON = "3.10"

# `train` is the plain pip way with its own pins of TensorFlow. Apache Beam wants older versions of protobuf and Pillow
# than the large lock has.
NOT_LOCKED = {"train"}
APART = {"beam.txt": ["beam"]}
SOURCES = {"beam.txt": "requirements/beam.in"}
"""What a lock holds besides the requirements of setup.py; by default, the OD API."""


def setup_arguments() -> dict[str, Any]:
    """What setup.py gives to setuptools."""
    source = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    with mock.patch("setuptools.setup") as setup:
        exec(compile(source, "setup.py", "exec"), {"__file__": str(REPOSITORY / "setup.py"), "__name__": "__main__"})
    arguments: dict[str, Any] = setup.call_args.kwargs
    return arguments


def locks() -> dict[str, list[str]]:
    """Extras in each lock file: what the road needs, everything, and what does not go with everything."""
    apart = {extra for extras in APART.values() for extra in extras}
    everything = sorted(set(setup_arguments()["extras_require"]) - NOT_LOCKED - apart)
    return {"lean.txt": ["lean"], "all.txt": everything, **APART}


def command(uv: str, name: str, extras: Sequence[str], options: Sequence[str]) -> list[str]:
    """The call that makes one lock file."""
    return [
        *(uv, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"),
        *("--no-annotate", "--custom-compile-command", "make lock", "--config-file", "requirements/uv.toml"),
        *(f"--extra={extra}" for extra in extras),
        *("setup.py", SOURCES.get(name, "requirements/odapi.in"), "--output-file", f"requirements/{name}"),
        *("--constraints", "requirements/constraints.in"),
        # The small lock has the versions of the large one.
        *(("--constraints", "requirements/all.txt") if name == "lean.txt" else ()),
        *options,
    ]


def main() -> int:
    """Call uv (argument 1) for each lock file; further arguments are uv's."""
    uv, *options = sys.argv[1:]
    for name, extras in sorted(locks().items()):
        print(f"requirements/{name}: {', '.join(extras)}", flush=True)
        done = subprocess.run(command(os.path.abspath(uv), name, extras, options), cwd=REPOSITORY, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
