"""The training program with something replaced in it, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from kpt_tools.odapi import commands, events


def run_program(program: str, run: Path, **settings: Any) -> list[dict[str, Any]]:
    """Run Python code that calls the training program's `main`, with its flags for `run`; its events.

    There are averaged weights, and each checkpoint, of every third step, is validated.
    """
    config = run.parent / "pipeline.config"
    fixed = {"checkpoint_every": 3, "seed": 0, "transfer": "match", "ema": 0.9, "validate_every": 1}
    command = commands.train_command(config, run, **fixed, **settings)
    flags = [argument for argument in command if argument.startswith("--")]
    done = subprocess.run(
        [sys.executable, "-c", program, *flags], cwd=run.parent, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [event for line in done.stdout.splitlines() if (event := events.parse(line))]
