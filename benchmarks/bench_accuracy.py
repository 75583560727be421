"""kpt-tools' CPU recipe against Ultralytics' YOLO11n-pose: equal pictures, equal time, equal evaluator.

Both train from scratch on the same split for the same wall-clock time on the same machine, one after the other, and
detect in the same held-out pictures. pycocotools measures both result files: OKS sigma 0.05, box area. Ultralytics is
no dependency of kpt-tools; give an interpreter that has it, or leave that side out:

    python -m venv .yolo && .yolo/bin/pip install ultralytics
    python benchmarks/bench_accuracy.py --annotations openfield.json --images images --yolo-python .yolo/bin/python

Of kpt-tools the time is that of the whole ``kpt-tools train`` process, imports and validation included; how many steps
fit into it is found by a short training before, which does not count. Of YOLO it is what its own ``time`` gives the
training; imports come on top. A model of kpt-tools is measured a second time with ``eval --flip-test``, which looks at
each picture twice. The last line is one JSON object with everything.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine import machine

from kpt_tools.config.convert import ConvertConfig
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.stages.convert import convert
from kpt_tools.stages.make_config import make_config
from kpt_tools.stages.make_tfrecord import make_tfrecord
from kpt_tools.stages.train import RESULTS_NAME

SIGMA = 0.05
CALIBRATION_STEPS = 200
SAFETY = 0.88
"""Share of the time that the planned steps may fill: a step of a long run took up to 13 % more than one of the short
run that they are planned from, and validations come on top."""
YOLO_SCRIPT = Path(__file__).with_name("yolo_pose.py")


@dataclass(frozen=True)
class Score:
    """One trained model, measured on the held-out pictures; `seconds` is the training's wall-clock time."""

    side: str
    seed: int
    seconds: float
    steps: int | None
    box_ap: float
    box_ap50: float
    oks_ap: float
    oks_ap50: float


def main() -> None:
    options = parse(None)
    options.out.mkdir(parents=True, exist_ok=True)
    truth = prepare(options)
    steps = options.steps or steps_that_fit(options)
    scores = []
    for seed in options.seeds:
        for score in of_seed(options, truth, steps, seed):
            scores.append(score)
            print("  ".join(f"{key} {shown(value)}" for key, value in asdict(score).items()), flush=True)
    result = {
        "benchmark": "accuracy",
        "machine": machine("kpt-tools", "tensorflow", "numpy", "pycocotools"),
        "settings": {key: str(value) for key, value in vars(options).items()},
        "oks_sigma": SIGMA,
        "area": "box",
        "summary": summary(scores),
        "runs": [asdict(score) for score in scores],
    }
    print(json.dumps(result))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, required=True, help="COCO JSON to train on (and split)")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--val-annotations", type=Path, help="COCO JSON to measure on; default: --val of the other")
    parser.add_argument("--val", type=float, default=0.2)
    parser.add_argument("--budget", type=float, default=520.0, help="seconds of training for each side")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--template", default="centernet_cpu_256_kpts")
    parser.add_argument("--any-orientation", action="store_true", help="as in make-config; YOLO gets flipud 0.5")
    parser.add_argument("--batch-size", type=int, help="of kpt-tools; default: the template's")
    parser.add_argument("--learning-rate", type=float, help="of kpt-tools; default: make-config's")
    parser.add_argument("--pretrained", help="of kpt-tools; default: from scratch")
    parser.add_argument("--set", dest="overrides", nargs="*", default=[], help="as in make-config")
    parser.add_argument("--train-options", nargs="*", default=[], help="of kpt-tools train: name=value, or name")
    parser.add_argument("--steps", type=int, help="instead of finding out how many fit")
    parser.add_argument("--yolo-python", help="interpreter that has ultralytics")
    parser.add_argument("--yolo-model", default="yolo11n-pose.yaml")
    parser.add_argument("--yolo-size", type=int, default=256)
    parser.add_argument("--yolo-batch", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("runs/bench_accuracy"))
    return parser.parse_args(arguments)


def prepare(options: argparse.Namespace) -> Path:
    """Records and YOLO's files of the same split; the COCO JSON of the held-out pictures."""
    records: Path = options.out / "records"
    config = MakeTfrecordConfig(
        options.annotations,
        options.images,
        records,
        options.out / "label_map.pbtxt",
        val=None if options.val_annotations else options.val,
        val_annotations=options.val_annotations,
    )
    if not (records / "manifest.json").is_file():
        make_tfrecord(config)
    if options.yolo_python:
        for split in ("train", "val"):
            folder = options.out / "yolo" / split
            if not folder.is_dir():
                convert(
                    ConvertConfig(
                        records / f"{split}.json", "yolo-pose", folder, images=options.images, copy_images=True
                    )
                )
    return records / "val.json"


def of_seed(options: argparse.Namespace, truth: Path, steps: int, seed: int) -> Iterator[Score]:
    """Both sides, one after the other."""
    if options.yolo_python:
        yield yolo(options, truth, seed)
    yield from ours(options, truth, steps, seed)


def ours(options: argparse.Namespace, truth: Path, steps: int, seed: int) -> Iterator[Score]:
    """Render, train, export and detect with kpt-tools' own commands; the model also with ``--flip-test``."""
    folder: Path = options.out / f"kpt_tools_{seed}"
    seconds = train(options, folder, steps, seed)
    for side, name, more in (("kpt-tools", "eval", ()), ("kpt-tools, flip test", "flip_test", ("--flip-test",))):
        out = folder / name
        kpt_tools("eval", folder / "run", "--out", out, "--no-report", *more, log=folder / f"{name}.log")
        yield Score(side, seed, seconds, steps, **measure(truth, out / "predictions.json"))


def steps_that_fit(options: argparse.Namespace) -> int:
    """From a training of few steps: the time before the first step, and the seconds per step after it."""
    folder: Path = options.out / "calibration"
    shutil.rmtree(folder, ignore_errors=True)
    seconds = train(options, folder, CALIBRATION_STEPS, seed=0)
    with (folder / "run" / RESULTS_NAME).open(encoding="utf-8", newline="") as handle:
        rates = [float(row["images_per_s"]) for row in csv.DictReader(handle)]
    step = batch_size(folder / "pipeline.config") / statistics.median(rates[len(rates) // 2 :])
    fixed = seconds - CALIBRATION_STEPS * step
    steps = int((SAFETY * options.budget - fixed) / step)
    print(f"calibration: {fixed:.0f} s before and after, {step:.3f} s per step: {steps} steps", flush=True)
    return steps


def batch_size(config: Path) -> int:
    return int(re.findall(r"^  batch_size: (\d+)$", config.read_text(encoding="utf-8"), re.MULTILINE)[0])


def train(options: argparse.Namespace, folder: Path, steps: int, seed: int) -> float:
    """Seconds of a whole training process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = make_config(
        MakeConfigConfig(
            records=options.out / "records",
            template=options.template,
            out=folder / "pipeline.config",
            steps=steps,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            any_orientation=options.any_orientation,
            pretrained=options.pretrained,
            fresh=options.pretrained is None,
            overrides=tuple(options.overrides),
        )
    ).path
    more = [f"--{option}" for option in options.train_options]
    begin = time.monotonic()
    kpt_tools("train", config, "--run", folder / "run", "--seed", seed, "--no-eval", *more, log=folder / "train.log")
    return round(time.monotonic() - begin, 1)


def kpt_tools(*arguments: object, log: Path) -> None:
    with log.open("w", encoding="utf-8") as handle:
        command = [sys.executable, "-m", "kpt_tools", *map(str, arguments)]
        subprocess.run(command, check=True, stdout=handle, stderr=subprocess.STDOUT)


def yolo(options: argparse.Namespace, truth: Path, seed: int) -> Score:
    """Train and detect in the other interpreter, see yolo_pose.py."""
    folder: Path = options.out / f"yolo_{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = {
        "train": str((options.out / "yolo" / "train").resolve()),
        "val": str((options.out / "yolo" / "val").resolve()),
        "truth": str(truth.resolve()),
        "out": str(folder.resolve()),
        "model": options.yolo_model,
        "size": options.yolo_size,
        "batch": options.yolo_batch,
        "seconds": options.budget,
        "seed": seed,
        "flipud": 0.5 if options.any_orientation else 0.0,
    }
    with (folder / "yolo.log").open("w", encoding="utf-8") as handle:
        command = [options.yolo_python, str(YOLO_SCRIPT), json.dumps(settings)]
        subprocess.run(command, check=True, stdout=handle, stderr=subprocess.STDOUT)
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    scores = [measure(truth, folder / f"{name}.json") for name in ("best", "last")]
    return Score("yolo", seed, done["seconds"], None, **max(scores, key=lambda score: score["oks_ap"]))


def measure(truth: Path, results: Path) -> dict[str, float]:
    """Box and OKS AP by pycocotools; the area of the OKS is that of the box."""
    import numpy as np
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        data = json.loads(truth.read_text(encoding="utf-8"))
        for annotation in data["annotations"]:
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
            annotation["iscrowd"] = annotation.get("iscrowd", 0)
        coco = COCO()
        coco.dataset = data
        coco.createIndex()
        found = coco.loadRes(by_file_name(data, json.loads(results.read_text(encoding="utf-8"))))
        scores = {}
        for kind, name in (("bbox", "box"), ("keypoints", "oks")):
            evaluation = COCOeval(coco, found, kind)
            points = max(len(category["keypoints"]) for category in data["categories"])
            evaluation.params.kpt_oks_sigmas = np.full(points, SIGMA)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            scores |= {f"{name}_ap": float(evaluation.stats[0]), f"{name}_ap50": float(evaluation.stats[1])}
    return scores


def by_file_name(truth: dict[str, Any], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Detections with the image ids of the truth; ``eval`` numbers the records itself."""
    ids = {Path(image["file_name"]).name: image["id"] for image in truth["images"]}
    keys = ("category_id", "bbox", "keypoints", "score")
    return [{"image_id": ids[Path(row["file_name"]).name]} | {key: row[key] for key in keys} for row in results]


def summary(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Mean, least and greatest over the seeds."""
    rows = []
    for side in dict.fromkeys(score.side for score in scores):
        found = [score for score in scores if score.side == side]
        row: dict[str, Any] = {"side": side, "seeds": len(found)}
        for name in ("box_ap", "oks_ap", "seconds"):
            values = [getattr(score, name) for score in found]
            row |= {name: statistics.fmean(values), f"{name}_min": min(values), f"{name}_max": max(values)}
        rows.append(row)
        print("  ".join(f"{key} {shown(value)}" for key, value in row.items()))
    return rows


def shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
