"""Is transfer worth it? Fresh against ``--transfer detection`` against ``--transfer match``, after equal steps.

A small model is trained on one data set. From its last checkpoint, and from scratch, models for another data set are
trained with equal steps, schedule, seeds and pictures, and measured on the same held-out pictures. By default from
sheep (18 keypoints) to a mouse (4 keypoints, no name in common):

    python benchmarks/bench_transfer.py --data FOLDER_WITH_sheep_AND_openfield

or, with no training on other data, from a model that is here already, such as that of kpt-tools import-movenet:

    python benchmarks/bench_transfer.py --data FOLDER --pretrained pretrained_models/movenet_lightning --out runs/two

or to a data set that has some of the same keypoints, which are kept by name: the 50 other pictures of sheep with seven
of their keypoints, from the model of the first comparison (--pretrained runs/bench_transfer/source/run --template
centernet_cpu_256_kpts --target-annotations FOLDER/sheep/annotations/val.coco.json --target-images FOLDER/sheep/images
--keypoints eye ear tail l_fore_foot r_fore_foot l_hind_foot r_hind_foot).

A run that is there already is not trained again, so a stopped benchmark goes on where it was. The last line is one
JSON object with everything.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.eval import EvalConfig
from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.config.train import TrainConfig
from kpt_tools.stages.eval import evaluate_model
from kpt_tools.stages.make_config import make_config
from kpt_tools.stages.make_tfrecord import make_tfrecord
from kpt_tools.stages.run_manifest import read_run, versions
from kpt_tools.stages.train import RESULTS_NAME, train

WAYS = ("fresh", "detection", "match")
TEMPLATE, PRETRAINED_TEMPLATE = "centernet_cpu_256_kpts", "centernet_mobilenetv2_fpn_256_kpts"
TOTAL_LOSS = "Loss/total_loss"
TAIL = 0.1
"""The loss of a run is the mean over this last share of its progress reports: single steps are noisy."""


@dataclass(frozen=True)
class Run:
    """One training of the comparison, measured."""

    way: str
    steps: int
    seed: int
    loss: float
    oks_ap: float | None
    oks_ap50: float | None
    box_ap: float | None
    box_ap50: float | None
    restored: int
    adapted: int
    fresh: int
    train_s: float


def main() -> None:
    options = parse(None)
    annotations = with_keypoints(options.target_annotations, options.keypoints, options.out / "target.json")
    target = prepare(options, "target", annotations, options.target_images, options.val)
    checkpoint, source_result = source_model(options)
    runs = [
        measure(options, target, checkpoint, way, steps, seed)
        for steps in options.steps
        for seed in options.seeds
        for way in WAYS
    ]
    table = summary(runs)
    for row in table:
        print("  ".join(f"{key} {shown(value)}" for key, value in row.items()))
    result = {
        "benchmark": "transfer",
        "machine": machine(),
        "versions": versions(),
        "settings": {key: jsonable(value) for key, value in vars(options).items()},
        "source": source_result,
        "summary": table,
        "runs": [asdict(run) for run in runs],
    }
    print(json.dumps(result))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with sheep/ and openfield/")
    parser.add_argument("--source-annotations", type=Path, help="COCO JSON; default: the sheep")
    parser.add_argument("--source-images", type=Path)
    parser.add_argument("--source-val", type=float, default=0.1)
    parser.add_argument("--pretrained", type=Path, help="a model's folder to start from, instead of training one")
    parser.add_argument("--target-annotations", type=Path, help="COCO JSON; default: the mouse")
    parser.add_argument("--target-images", type=Path)
    parser.add_argument("--keypoints", nargs="+", help="the target has these of its keypoints only; default: all")
    parser.add_argument("--val", type=float, default=0.5, help="share of the target's pictures to measure on")
    parser.add_argument("--template", help=f"default: {TEMPLATE}, or {PRETRAINED_TEMPLATE} with --pretrained")
    parser.add_argument("--set", dest="overrides", nargs="*", default=[], help="as in make-config, for all trainings")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--source-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, nargs="+", default=[150, 300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=Path("runs/bench_transfer"))
    options = parser.parse_args(arguments)
    options.template = options.template or (PRETRAINED_TEMPLATE if options.pretrained else TEMPLATE)
    sheep, mouse = options.data / "sheep", options.data / "openfield"
    options.source_annotations = options.source_annotations or sheep / "annotations" / "train.coco.json"
    options.source_images = options.source_images or sheep / "images"
    options.target_annotations = options.target_annotations or mouse / "annotations.json"
    options.target_images = options.target_images or mouse / "images"
    return options


def with_keypoints(annotations: Path, names: Sequence[str] | None, out: Path) -> Path:
    """The COCO JSON with these keypoints only; itself if none are named."""
    if names is None:
        return annotations
    data = json.loads(annotations.read_text(encoding="utf-8"))
    kept = {}
    for category in data["categories"]:
        if "keypoints" in category:
            kept[category["id"]] = [category["keypoints"].index(name) for name in names]
            category |= {"keypoints": list(names), "skeleton": []}
    for annotation in data["annotations"]:
        points = annotation["keypoints"]
        values = [points[3 * index : 3 * index + 3] for index in kept[annotation["category_id"]]]
        annotation["keypoints"] = [value for point in values for value in point]
        annotation["num_keypoints"] = sum(point[2] > 0 for point in values)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(data), encoding="utf-8")
    return out


def prepare(options: argparse.Namespace, name: str, annotations: Path, images: Path, val: float) -> Path:
    """The records of a data set."""
    records: Path = options.out / name / "records"
    if not (records / "manifest.json").is_file():
        label_map = options.out / name / "label_map.pbtxt"
        make_tfrecord(MakeTfrecordConfig(annotations, images, records, label_map, val=val))
    return records


def config_of(options: argparse.Namespace, records: Path, out: Path, steps: int, pretrained: Path | None) -> Path:
    return make_config(
        MakeConfigConfig(
            records=records,
            template=options.template,
            out=out,
            batch_size=options.batch_size,
            steps=steps,
            pretrained=None if pretrained is None else str(pretrained),
            fresh=pretrained is None,
            overrides=tuple(options.overrides),
        )
    ).path


def source_model(options: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """The model to start from, and how good it is at its own task."""
    if options.pretrained is not None:
        return options.pretrained, {"pretrained": str(options.pretrained)}
    records = prepare(options, "source", options.source_annotations, options.source_images, options.source_val)
    run: Path = options.out / "source" / "run"
    config = config_of(options, records, options.out / "source" / "pipeline.config", options.source_steps, None)
    train_run(options, TrainConfig(config, run, seed=0))
    result = evaluate_model(EvalConfig(run)).result
    row = {"steps": options.source_steps, "oks_ap": result.oks.ap, "box_ap": result.box.ap}
    print("source model: " + "  ".join(f"{key} {shown(value)}" for key, value in row.items()), flush=True)
    return run, row


def measure(options: argparse.Namespace, records: Path, source: Path, way: str, steps: int, seed: int) -> Run:
    """Train one way and measure; all ways have the same config but for the checkpoint."""
    folder: Path = options.out / "target" / f"{steps}_steps" / f"{way}_{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(options, records, folder / "pipeline.config", steps, None if way == "fresh" else source)
    mode = {} if way == "fresh" else {"transfer": way}
    run = folder / "run"
    seconds = train_run(options, TrainConfig(config, run, seed=seed, **mode))
    result = evaluate_model(EvalConfig(run)).result
    parts = (read_run(run).get("transfer") or {}).get("parts", [])
    found = Run(
        way=way,
        steps=steps,
        seed=seed,
        loss=tail_loss(run / RESULTS_NAME),
        oks_ap=result.oks.ap,
        oks_ap50=result.oks.ap50,
        box_ap=result.box.ap,
        box_ap50=result.box.ap50,
        restored=sum(part["restored"] for part in parts),
        adapted=sum(part["adapted"] for part in parts),
        fresh=sum(part["fresh"] for part in parts),
        train_s=seconds,
    )
    print("  ".join(f"{key} {shown(value)}" for key, value in asdict(found).items()), flush=True)
    return found


def train_run(options: argparse.Namespace, config: TrainConfig) -> float:
    """Seconds that the training took; 0.0 if it was there already. A stop with Ctrl-C ends the benchmark."""
    begin = time.monotonic()
    config = TrainConfig(**{**vars(config), "precision": options.precision})
    result = train(config)
    if result.interrupted:
        raise KeyboardInterrupt
    return 0.0 if result.resumed_from >= result.steps else round(time.monotonic() - begin, 1)


def tail_loss(results: Path) -> float:
    """Mean total loss over the end of a run."""
    with results.open(encoding="utf-8", newline="") as handle:
        losses = [float(row[TOTAL_LOSS]) for row in csv.DictReader(handle)]
    return statistics.fmean(losses[-max(1, round(len(losses) * TAIL)) :])


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Mean, least and greatest over the seeds, per number of steps and way."""
    rows = []
    for steps in sorted({run.steps for run in runs}):
        for way in WAYS:
            found = [run for run in runs if (run.steps, run.way) == (steps, way)]
            row: dict[str, Any] = {"steps": steps, "way": way, "seeds": len(found)}
            for name in ("loss", "oks_ap", "oks_ap50", "box_ap"):
                values = [getattr(run, name) or 0.0 for run in found]
                row |= {name: statistics.fmean(values), f"{name}_min": min(values), f"{name}_max": max(values)}
            rows.append(row)
    return rows


def machine() -> dict[str, Any]:
    """Processor, cores and memory."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"cpu": models[0] if models else platform.processor(), "cores": os.cpu_count(), "memory_gb": round(memory)}


def jsonable(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
