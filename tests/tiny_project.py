"""A project that trains in a minute: a few drawn pliers, the CPU template at 128 pixels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.stages.make_config import make_config
from kpt_tools.stages.make_tfrecord import make_tfrecord


def make_project(folder: Path) -> Path:
    """Records and a config for 7 steps of batch 2 in `folder`."""
    made = make_pliers(folder / "pliers", 12, 3, (160, 120))
    records = folder / "dataset" / "tfrecord"
    make_tfrecord(
        MakeTfrecordConfig(
            annotations=made.annotations,
            images=made.images,
            out=records,
            label_map=folder / "label_maps" / "label_map.pbtxt",
            keep_empty=True,
        )
    )
    make_config(
        MakeConfigConfig(
            records=records,
            template="centernet_cpu_256_kpts",
            out=folder / "pipeline.config",
            batch_size=2,
            steps=7,
            input_size=128,
        )
    )
    return folder


def run_command(project: Path, *arguments: str, timeout: int = 500) -> subprocess.CompletedProcess[str]:
    """Run ``kpt-tools`` in the project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "kpt_tools", *arguments], cwd=project, capture_output=True, text=True, timeout=timeout
    )
