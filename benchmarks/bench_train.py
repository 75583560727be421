"""Training speed, memory and loss: kpt-tools train against the OD API's own program on the same config.

    python benchmarks/bench_train.py [--cases small hourglass ...] [--repeats 3] [--steps 100] [--work FOLDER]

The other side is `model_main_tf2` through the same compatibility layer with its default settings (float32, summaries,
MirroredStrategy), but for one: it runs 5 steps per call and not 100 (1 with the hourglass), to be able to tell the
time and the loss of so many. kpt-tools runs with --rotation 0 and --box-cells 1, as the OD API does. The two runs of
a pair resume from copies of one checkpoint, made by kpt-tools in the steps of one such call: other random weights make
the losses of such short runs differ by a tenth. Each pair has weights of its own. Both sides take turns in processes of
their own, each with all cores. What is compared is what they report themselves: images per second without the first
call, which traces the graph, and the mean loss of the second half of the steps. Losses are the same within noise if the
95 % interval of their difference holds zero (paired t-test). Peak memory is that of the training process. The data are
drawn pliers, 640 x 480 or 1920 x 1080.

Prints a line per run, then the machine and one JSON object as the last line. Run it on a machine that does nothing
else.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import machine

RAW, OURS = "model_main_tf2", "kpt-tools train"
LOSS, SPEED = "Loss/total_loss", "steps_per_sec"


@dataclass(frozen=True)
class Case:
    """A model and its data.

    All runs start at step `steps_per_call`: the OD API reports at its multiples only.
    """

    template: str
    batch_size: int
    wh: tuple[int, int]
    images: int
    steps_per_call: int
    steps: int
    goal: float


CASES = {
    "small": Case("centernet_cpu_256_kpts", 8, (640, 480), 120, 5, 100, 1.5),
    "mobilenet": Case("centernet_mobilenetv2_fpn_256_kpts", 8, (640, 480), 120, 5, 100, 1.5),
    "hourglass": Case("centernet_hg104_512_kpts", 1, (640, 480), 40, 1, 8, 1.5),
    "full-hd": Case("centernet_cpu_256_kpts", 8, (1920, 1080), 120, 5, 100, 2.0),
}


@dataclass(frozen=True)
class Run:
    """One training: images per second at each report, losses by step, peak memory, processor seconds."""

    speeds: list[float]
    losses: dict[int, float]
    peak_mb: float
    cpu_s: float

    def final_loss(self, steps: Sequence[int]) -> float:
        """Mean over those of `steps` that lie in their second half; a step that was not reported is its neighbour."""
        nearest = [min(self.losses, key=lambda told: abs(told - step)) for step in steps if step > max(steps) / 2]
        return statistics.mean(self.losses[step] for step in nearest)


def make_project(folder: Path, case: Case, steps: int) -> Path:
    """Records and a config; returns the config."""
    from kpt_tools.config.make_config import MakeConfigConfig
    from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
    from kpt_tools.demo.pliers import make_pliers
    from kpt_tools.stages.make_config import make_config
    from kpt_tools.stages.make_tfrecord import make_tfrecord

    made = make_pliers(folder / "pliers", case.images, 0, case.wh)
    records = folder / "tfrecord"
    make_tfrecord(
        MakeTfrecordConfig(made.annotations, made.images, records, folder / "map.pbtxt", val=0.0, keep_empty=True)
    )
    settings = MakeConfigConfig(
        records=records,
        template=case.template,
        out=folder / "pipeline.config",
        batch_size=case.batch_size,
        steps=steps,
        fresh=True,
    )
    make_config(settings)
    return folder / "pipeline.config"


def make_start(config: Path, run: Path, case: Case, seed: int) -> None:
    """The run folder that both of a pair begin as, with a checkpoint after one call's steps."""
    measured(kpt_tools_train(config, run, seed, {"steps": case.steps_per_call}), run.with_suffix(".log"))


def kpt_tools_train(config: Path, run: Path, seed: int, settings: dict[str, int]) -> list[str]:
    """The command, with the OD API's augmentation and targets."""
    settings = {"run": run, "seed": seed, "rotation": 0, "box-cells": 1, **settings}
    options = ["--no-validate", "--no-eval", *(f"--{name}={value}" for name, value in settings.items())]
    return [sys.executable, "-m", "kpt_tools", "train", str(config), *options]


def run_raw(config: str, run: str, steps: int, steps_per_call: int) -> None:
    """In a child process: the OD API's program."""
    from kpt_tools.odapi import compat

    compat.activate()
    import tensorflow as tf
    from object_detection import model_lib_v2, model_main_tf2

    loop = functools.partial(model_lib_v2.train_loop, num_steps_per_iteration=steps_per_call)
    model_lib_v2.train_loop = loop
    arguments = [f"--pipeline_config_path={config}", f"--model_dir={run}", f"--num_train_steps={steps}"]
    tf.compat.v1.app.run(model_main_tf2.main, argv=[sys.argv[0], *arguments])


def measured(command: list[str], log: Path) -> tuple[float, float]:
    """Run a program; its peak memory in MB and its processor seconds, those of its children included."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(command)} failed; log: {log}")
    return usage.ru_maxrss * 1024 / 1e6, usage.ru_utime + usage.ru_stime


def raw(config: Path, start: Path, run: Path, case: Case, steps: int) -> Run:
    """One training of the OD API's program."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    run.mkdir()
    for path in (start / "checkpoint", *start.glob("ckpt-*")):
        shutil.copy(path, run)
    arguments = [str(config), str(run), str(steps), str(case.steps_per_call)]
    peak, cpu = measured([sys.executable, __file__, "--raw", *arguments], run.with_suffix(".log"))
    board = EventAccumulator(str(run / "train"), size_guidance={"tensors": 0})
    board.Reload()

    def values(tag: str) -> dict[int, float]:
        return {event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in board.Tensors(tag)}

    speeds = [speed * case.batch_size for _, speed in sorted(values(SPEED).items())]
    return Run(speeds[1:], values(LOSS), peak, cpu)


def ours(config: Path, start: Path, run: Path, case: Case, steps: int, seed: int) -> Run:
    """One training of kpt-tools."""
    shutil.copytree(start, run)
    peak, cpu = measured(kpt_tools_train(config, run, seed, {"checkpoint-every": steps}), run.with_suffix(".log"))
    with (run / "results.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if int(row["step"]) > case.steps_per_call]
    speeds = [float(row["images_per_s"]) for row in rows if int(row["step"]) > 2 * case.steps_per_call]
    return Run(speeds, {int(row["step"]): float(row[LOSS]) for row in rows}, peak, cpu)


def compare(name: str, case: Case, steps: int, repeats: int, work: Path) -> dict[str, Any]:
    """Both sides in turns."""
    config = make_project(work / name, case, steps := case.steps_per_call + steps)
    runs: dict[str, list[Run]] = {RAW: [], OURS: []}
    for number in range(repeats):
        make_start(config, start := work / name / f"start_{number}", case, number)
        for side in (RAW, OURS):
            folder = work / name / f"{'raw' if side == RAW else 'ours'}_{number}"
            if side == RAW:
                done = raw(config, start, folder, case, steps)
            else:
                done = ours(config, start, folder, case, steps, 1 + number)
            runs[side].append(done)
            speed, loss = statistics.median(done.speeds), done.final_loss(list(done.losses))
            print(f"{name} {side}: {speed:.3f} img/s, {done.peak_mb:.0f} MB, loss {loss:.3f}", flush=True)
    about = {
        "template": case.template,
        "batch_size": case.batch_size,
        "wh": case.wh,
        "steps": steps - case.steps_per_call,
    }
    return about | verdict(runs, case)


def verdict(runs: dict[str, list[Run]], case: Case) -> dict[str, Any]:
    """Medians of all reports, their ratio, and how the losses compare."""
    speed = {side: statistics.median(value for run in done for value in run.speeds) for side, done in runs.items()}
    told = list(runs[RAW][0].losses)
    losses = {side: [run.final_loss(told) for run in done] for side, done in runs.items()}
    peak = {side: max(run.peak_mb for run in done) for side, done in runs.items()}
    return {
        "images_per_s": {side: round(value, 3) for side, value in speed.items()},
        "ratio": round(speed[OURS] / speed[RAW], 3),
        "goal": case.goal,
        "runs": {side: [round(statistics.median(run.speeds), 3) for run in done] for side, done in runs.items()},
        "loss": {side: [round(value, 4) for value in values] for side, values in losses.items()},
        **difference_of(losses[OURS], losses[RAW]),
        "peak_mb": {side: round(value) for side, value in peak.items()},
        "memory_not_higher": peak[OURS] <= peak[RAW],
        "cpu_s": {side: [round(run.cpu_s, 1) for run in done] for side, done in runs.items()},
    }


def difference_of(ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """Of mean losses, relative to `theirs`, with its 95 % interval by a paired t-test; of one pair nothing is known.

    The test is two-sided and takes the pairs' differences as draws from a normal distribution.
    """
    from scipy import stats

    if len(ours) < 2:
        return {"loss_difference": None, "loss_interval": None, "same_loss": None}
    mean = statistics.mean(theirs)
    interval = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    low, high = float(interval.low) / mean, float(interval.high) / mean
    return {
        "loss_difference": round(statistics.mean(ours) / mean - 1, 4),
        "loss_interval": [round(low, 4), round(high, 4)],
        "same_loss": low <= 0 <= high,
    }


def main() -> None:
    """Parse the command line and run what it asks for."""
    if sys.argv[1:2] == ["--raw"]:
        config, run, steps, steps_per_call = sys.argv[2:6]
        run_raw(config, run, int(steps), int(steps_per_call))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each run; default: 100, with the hourglass 8")
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    options = parser.parse_args()
    described = machine("tensorflow", "tf_keras", "tf-models-research-object-detection", "numpy")
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        found = {
            name: compare(name, CASES[name], options.steps or CASES[name].steps, options.repeats, work)
            for name in options.cases
        }
    print(json.dumps({"benchmark": "train", "machine": described, "cases": found}))


if __name__ == "__main__":
    main()
