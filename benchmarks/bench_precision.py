"""What bfloat16 does to speed and accuracy: the same training in float32 and bfloat16, in turns, with several seeds.

    python benchmarks/bench_precision.py PROJECT/pipeline.config [--seeds 0 1 2] [--steps 1000]

Trains the config with ``--precision float32`` and ``--precision bfloat16``, measures both exports with kpt-tools eval
(an export computes in float32 either way), and prints a line per training, then the machine and one JSON object as the
last line: box AP and OKS AP of each, their means, and the mean difference with its standard error over the seeds.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import machine

PRECISIONS = ("float32", "bfloat16")


def trained(config: Path, run: Path, precision: str, seed: int, steps: int | None) -> dict[str, Any]:
    """One training and its evaluation."""
    program = [sys.executable, "-m", "kpt_tools"]
    settings = ["--run", str(run), "--precision", precision, "--seed", str(seed)]
    settings += ["--steps", str(steps)] if steps else []
    subprocess.run([*program, "train", str(config), *settings], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*program, "eval", str(run), "--no-report"], check=True, stdout=subprocess.DEVNULL)
    manifest = json.loads((run / "run.json").read_text(encoding="utf-8"))
    result = json.loads((run / "eval" / "eval.json").read_text(encoding="utf-8"))["result"]
    return {
        "precision": precision,
        "seed": seed,
        "seconds": manifest["seconds"],
        "peak_mb": manifest["peak_memory_mb"],
        "box_ap": result["box"]["ap"],
        "oks_ap": result["oks"]["ap"],
    }


def difference(rows: list[dict[str, Any]], name: str) -> dict[str, float | None]:
    """bfloat16 minus float32, over the seeds: mean and standard error."""
    by = {(row["precision"], row["seed"]): row[name] for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    differences = [by["bfloat16", seed] - by["float32", seed] for seed in seeds]
    error = statistics.stdev(differences) / math.sqrt(len(seeds)) if len(seeds) > 1 else None
    return {"mean": statistics.mean(differences), "standard_error": error}


def main() -> None:
    """Parse the command line and run what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="default: the config's")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            for precision in PRECISIONS:
                run = Path(folder) / f"{precision}_{seed}"
                rows.append(trained(options.config, run, precision, seed, options.steps))
                print(rows[-1], flush=True)
    differences = {name: difference(rows, name) for name in ("box_ap", "oks_ap", "seconds", "peak_mb")}
    described = machine("tensorflow", "tf_keras", "tf-models-research-object-detection")
    print(
        json.dumps(
            {"benchmark": "precision", "machine": described, "rows": rows, "bfloat16_minus_float32": differences}
        )
    )


if __name__ == "__main__":
    main()
