"""What `make-tfrecord --max-side` does to training speed and to AP.

    python benchmarks/bench_max_side.py [--count 300] [--steps 700] [--max-side 1024 512]

Draws Full-HD pictures of pliers (the demo's), converts them as they are and with each --max-side, trains the same
recipe on each set of records, in turns over the seeds, and measures every model on the held-out pictures in their full
size. Prints median images per second of the training, the size of the records, AP, and one JSON object as the last
line. Takes half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import machine

from kpt_tools.config.eval import EvalConfig
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.train import TrainConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.stages.eval import evaluate_model
from kpt_tools.stages.make_config import make_config
from kpt_tools.stages.make_tfrecord import make_tfrecord
from kpt_tools.stages.train import train

NOT_TIMED = 20
"""Steps at the beginning: tracing, and filling the input pipeline."""


def records_of(work: Path, annotations: Path, images: Path, max_side: int | None) -> dict[str, Any]:
    """The records of one way, and what they take."""
    out = work / f"records_{max_side}"
    begin = time.perf_counter()
    result = make_tfrecord(
        MakeTfrecordConfig(annotations, images, out, out / "label_map.pbtxt", keep_empty=True, max_side=max_side)
    )
    shards = [out / name for split in result.splits.values() for name in split.shards]
    return {
        "folder": out,
        "convert_s": round(time.perf_counter() - begin, 1),
        "megabytes": round(sum(path.stat().st_size for path in shards) / 1e6, 1),
        "reduced_images": result.reduced_images,
    }


def run_of(work: Path, records: Path, truth: tuple[Path, Path], options: argparse.Namespace, seed: int) -> Any:
    """Train on records; median images per second, and AP on full-size pictures."""
    folder = work / f"{records.name}_{seed}"
    config = make_config(
        MakeConfigConfig(records=records, template=options.template, out=folder / "pipeline.config",
                         steps=options.steps, fresh=True)
    ).path  # fmt: skip
    rates: list[float] = []

    def on_event(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] > NOT_TIMED:
            rates.append(event["images_per_s"])

    train(TrainConfig(config=config, run=folder / "run", seed=seed, validate=False), on_event)
    annotations, images = truth
    found = evaluate_model(
        EvalConfig(model=folder / "run", annotations=annotations, images=images, out=folder / "eval", report=False)
    ).result
    rate = round(statistics.median(rates), 2)
    return {"seed": seed, "images_per_s": rate, "box_ap": found.box.ap, "oks_ap": found.oks.ap}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training speed and AP with --max-side.")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--template", default="centernet_cpu_256_kpts")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--max-side", type=int, nargs="+", default=[1024, 512])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, help="folder for everything; default: a temporary one")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    about = machine("kpt-tools", "tensorflow", "pillow")
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name)
        made = make_pliers(work / "pliers", options.count, 0, (width, height))
        ways = [None, *options.max_side]
        records = {side: records_of(work, made.annotations, made.images, side) for side in ways}
        truth = (records[None]["folder"] / "val.json", made.images)
        runs: dict[int | None, list[dict[str, Any]]] = {side: [] for side in ways}
        for turn, seed in enumerate(options.seeds):
            for side in ways[:: 1 if turn % 2 == 0 else -1]:
                runs[side].append(run_of(work, records[side]["folder"], truth, options, seed))
                print(f"--max-side {side}, {runs[side][-1]}", flush=True)
    rows = []
    for side in ways:
        medians = {
            key: statistics.median(run[key] for run in runs[side]) for key in ("images_per_s", "box_ap", "oks_ap")
        }
        facts = {key: value for key, value in records[side].items() if key != "folder"}
        rows.append({"max_side": side, **facts, **medians, "runs": runs[side]})
    faster = {str(row["max_side"]): round(row["images_per_s"] / rows[0]["images_per_s"], 2) for row in rows}
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(json.dumps({"benchmark": "max-side", "machine": about, "template": options.template, "size": options.size,
                      "steps": options.steps, "ways": rows, "times_as_fast": faster}))  # fmt: skip


if __name__ == "__main__":
    main()
