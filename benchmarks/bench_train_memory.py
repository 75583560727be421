"""The memory that kpt-tools train estimates before the start, against the peak of the training process.

    python benchmarks/bench_train_memory.py [--steps 4] [--precision auto] [TEMPLATE:BATCH ...]

Trains a few steps of each, in a process of its own, on drawn pliers. Prints a line each, then the machine and one JSON
object as the last line. An estimate below what was measured makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_train import CASES, make_project
from machine import machine

DEFAULT = (
    "centernet_cpu_256_kpts:2",
    "centernet_cpu_256_kpts:8",
    "centernet_cpu_256_kpts:16",
    "centernet_mobilenetv2_fpn_512_kpts:4",
    "centernet_resnet50_v1_fpn_512_kpts:2",
    "centernet_hg104_512_kpts:1",
)


def measured(template: str, batch_size: int, steps: int, precision: str) -> dict[str, Any]:
    """One training: estimate and peak in MB."""
    from kpt_tools.odapi import pipeline_config
    from kpt_tools.odapi.training_memory import needs_of

    case = replace(CASES["small"], template=template, batch_size=batch_size, images=40)
    with tempfile.TemporaryDirectory() as folder:
        config = make_project(Path(folder), case, steps)
        run = Path(folder) / "run"
        settings = ["--run", str(run), "--precision", precision, "--no-validate", "--checkpoint-every", str(steps)]
        command = [sys.executable, "-m", "kpt_tools", "train", str(config), *settings]
        subprocess.run(command, check=True, capture_output=True)
        manifest = json.loads((run / "run.json").read_text(encoding="utf-8"))
        estimate = needs_of(pipeline_config.read(config)).memory(batch_size) / 1e6
    return {
        "template": template,
        "batch_size": batch_size,
        "precision": manifest["precision"]["used"],
        "estimate_mb": round(estimate),
        "peak_mb": manifest["peak_memory_mb"],
    }


def main() -> int:
    """Parse the command line and run what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=DEFAULT, metavar="TEMPLATE:BATCH")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    rows = []
    for each in options.what:
        template, _, batch_size = each.partition(":")
        rows.append(measured(template, int(batch_size), options.steps, options.precision))
        print("{template} batch {batch_size} {precision}: {estimate_mb} MB estimated, {peak_mb} MB".format(**rows[-1]))
        sys.stdout.flush()
    print(json.dumps({"benchmark": "train-memory", "machine": machine("tensorflow", "tf_keras"), "rows": rows}))
    return int(any(row["peak_mb"] > row["estimate_mb"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
