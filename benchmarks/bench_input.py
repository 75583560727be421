"""The input pipeline of a training on Full-HD pictures by itself: images per second, and what binds a step.

    python benchmarks/bench_input.py [--template centernet_cpu_256_kpts] [--pictures FOLDER] [--steps 5]

Four ways, each in processes of its own that take turns: the OD API's input (before); that of kpt-tools, which decodes
large JPEGs at a fraction of their size and resizes before augmentation (after); the same with decoded pictures kept in
memory, as kpt-tools does by itself where they fit; and the second way from records made with --max-side. For each:
images per second of the whole pipeline with augmentation and resizing; how far what the network sees is from the first
way (mean absolute difference in grey levels, without augmentation); and the time of a step on one batch that is there
already, so that one sees which of both is slower. Prints the machine and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from full_hd import write_annotations, write_images
from machine import machine

NOT_TIMED = 8
BEFORE, AFTER, KEPT, MAX_SIDE = "OD API", "kpt-tools", "kept in memory", "--max-side"
WAYS = (BEFORE, AFTER, KEPT, MAX_SIDE)


def child(config: str, way: str, images: int, steps: int) -> None:
    """Measure one way; the answer is the last line."""
    from kpt_tools.lazy import quiet_tensorflow
    from kpt_tools.odapi import compat

    compat.activate()
    quiet_tensorflow(purpose="this benchmark")
    from object_detection import inputs, model_lib_v2
    from object_detection.utils import config_util

    from kpt_tools.odapi.train_parts import own_input

    configs = config_util.get_configs_from_pipeline_file(config)
    reader, train = configs["train_input_config"], configs["train_config"]
    build_model = model_lib_v2.MODEL_BUILD_UTIL_MAP["detection_model_fn_base"]
    model = build_model(model_config=configs["model"], is_training=True, add_summaries=False)

    def batches() -> Any:
        with contextlib.nullcontext() if way == BEFORE else own_input(configs, way == KEPT, 0.0):
            return inputs.train_input(train, reader, configs["model"], model).repeat()

    skipped = -(-images // train.batch_size) if way == KEPT else NOT_TIMED
    answer: dict[str, Any] = {
        "whole pipeline": rate(batches(), max(12, images // train.batch_size), skipped) * train.batch_size,
        "batch_size": int(train.batch_size),
    }
    del train.data_augmentation_options[:]
    reader.shuffle = False
    seen = [found["image"].numpy() for found, _ in batches().take(max(1, 16 // train.batch_size))]
    with open(f"{config}.{WAYS.index(way)}.bin", "wb") as handle:
        for image in seen:
            handle.write(image.astype("float32").tobytes())
    answer["range"] = float(seen[0].max() - seen[0].min())
    if steps:
        answer["step_s"] = step_time(config, steps)
    print(json.dumps(answer))


def rate(dataset: Any, count: int, skipped: int) -> float:
    """Elements per second, after some that are not counted: as many as may have been fetched ahead."""
    elements = iter(dataset)
    for _ in range(skipped):
        next(elements)
    begin = time.perf_counter()
    for _ in range(count):
        next(elements)
    return round(count / (time.perf_counter() - begin), 2)


def step_time(config: str, steps: int) -> float:
    """Median seconds of a training step on one batch that is in memory."""
    from kpt_tools.odapi.train_parts import build, train_step

    parts = build(config, steps, False, False, one_batch=True)
    batches, step, times = iter(parts.dataset), train_step(parts), []
    for _ in range(steps + 2):
        begin = time.perf_counter()
        losses = step(batches)
        float(next(iter(losses.values())))
        times.append(time.perf_counter() - begin)
    return round(statistics.median(times[2:]), 4)


def prepare(options: argparse.Namespace, work: Path) -> dict[str, Path]:
    """Records and a pipeline.config for each way."""
    from kpt_tools.config.make_config import MakeConfigConfig
    from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
    from kpt_tools.stages.make_config import make_config
    from kpt_tools.stages.make_tfrecord import make_tfrecord

    width, height = map(int, options.size.split("x"))
    write_images(work / "images", options.count, (width, height), options.kilobytes, options.pictures)
    write_annotations(work / "annotations.json", options.count, (width, height))
    configs = {}
    for way, max_side in zip(WAYS, (None, None, None, options.max_side), strict=True):
        out, config = work / way.strip("-").replace(" ", "_"), work / f"{WAYS.index(way)}.config"
        make_tfrecord(
            MakeTfrecordConfig(work / "annotations.json", work / "images", out, out / "label_map.pbtxt",
                               max_side=max_side)
        )  # fmt: skip
        make_config(MakeConfigConfig(records=out, template=options.template, out=config, fresh=True, steps=100))
        configs[way] = config
    return configs


def differences(configs: dict[str, Path]) -> dict[str, float]:
    """Mean absolute difference of what the network sees, from the first way, in its own units."""
    import numpy as np

    seen = {way: np.fromfile(f"{path}.{WAYS.index(way)}.bin", np.float32) for way, path in configs.items()}
    first = seen[WAYS[0]]
    return {way: float(np.abs(values - first).mean()) for way, values in seen.items()}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description="The input pipeline of training, by itself.")
    parser.add_argument("--count", type=int, default=200, help="pictures in the records")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--kilobytes", type=int, default=293)
    parser.add_argument("--pictures", type=Path, help="real ones, scaled to --size; default: drawn")
    parser.add_argument("--template", default="centernet_cpu_256_kpts")
    parser.add_argument("--max-side", type=int, default=512)
    parser.add_argument("--images", type=int, default=200, help="images of each measurement")
    parser.add_argument("--steps", type=int, default=5, help="training steps to time; 0: none")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    about = machine("kpt-tools", "tensorflow", "pillow")
    with tempfile.TemporaryDirectory() as name:
        configs = prepare(options, Path(name))
        answers: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for turn in range(options.repeats):
            for way in WAYS[:: 1 if turn % 2 == 0 else -1]:
                call = [str(configs[way]), way, str(options.images), str(options.steps)]
                done = subprocess.run([sys.executable, __file__, "--child", *call], stdout=subprocess.PIPE, check=True)
                answers[way].append(json.loads(done.stdout.splitlines()[-1]))
        noise = differences(configs)
    rows = [row_of(way, found, noise[way]) for way, found in answers.items()]
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    before = rows[0]["whole pipeline"]
    ratios = {row["way"]: round(row["whole pipeline"] / before, 2) for row in rows}
    print(json.dumps({"benchmark": "input", "machine": about, "template": options.template, "size": options.size,
                      "max_side": options.max_side, "ways": rows, "ratios": ratios}))  # fmt: skip


def row_of(way: str, found: list[dict[str, Any]], noise: float) -> dict[str, Any]:
    """Medians of one way, and which of input and step is slower."""
    row: dict[str, Any] = {"way": way}
    row["whole pipeline"] = statistics.median(each["whole pipeline"] for each in found)
    row["difference_of_255"] = round(255 * noise / found[0]["range"], 2)
    if "step_s" in found[0]:
        row["step_s"] = statistics.median(each["step_s"] for each in found)
        row["input_s_per_step"] = round(found[0]["batch_size"] / row["whole pipeline"], 4)
        row["bound_by"] = "input" if row["input_s_per_step"] > row["step_s"] else "network"
    return row


if __name__ == "__main__":
    main()
