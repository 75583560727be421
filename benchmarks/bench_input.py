"""The input pipeline of a training on Full-HD pictures by itself: images per second, and what binds a step.

    python benchmarks/bench_input.py [--template centernet_cpu_256_kpts] [--pictures FOLDER] [--steps 5]

Three ways, each in processes of its own that take turns: the records as they are, decoded whole (before); the same
records, JPEGs decoded no larger than the network needs (`kpt_tools.odapi.reduced_decoding`); and records made with
--max-side. For each: images per second of reading alone, of reading and decoding, and of the whole pipeline with
augmentation and resizing; how far what the network sees is from the first way (mean absolute difference in grey
levels, without augmentation); and the time of a step on one batch that is there already, so that one sees which of both
is slower. Prints the machine and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
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
WAYS = ("whole", "reduced decoding", "--max-side")


def child(config: str, way: str, images: int, steps: int) -> None:
    """Measure one way; the answer is the last line."""
    from kpt_tools.lazy import quiet_tensorflow
    from kpt_tools.odapi import compat

    compat.activate()
    tf = quiet_tensorflow(purpose="this benchmark")
    from object_detection import inputs, model_lib_v2
    from object_detection.builders import decoder_builder
    from object_detection.utils import config_util

    from kpt_tools.odapi import reduced_decoding

    configs = config_util.get_configs_from_pipeline_file(config)
    reader, train = configs["train_input_config"], configs["train_config"]
    network_px = max(config_util.get_spatial_image_size(config_util.get_image_resizer_config(configs["model"])))
    if way == "reduced decoding":
        reduced_decoding.install(reduced_decoding.least_side(network_px))
    build_model = model_lib_v2.MODEL_BUILD_UTIL_MAP["detection_model_fn_base"]
    model = build_model(model_config=configs["model"], is_training=True, add_summaries=False)
    pattern = list(reader.tf_record_input_reader.input_path)
    records = tf.data.TFRecordDataset(tf.io.gfile.glob(pattern)).repeat()
    decoder = decoder_builder.build(reader)
    parallel = tf.data.AUTOTUNE
    answer: dict[str, Any] = {
        "read": rate(records.prefetch(parallel), images),
        "read and decode": rate(records.map(decoder.decode, parallel).prefetch(2), images),
    }
    batches = inputs.train_input(train, reader, configs["model"], model)
    answer["whole pipeline"] = rate(batches.repeat(), max(12, images // train.batch_size)) * train.batch_size
    images_seen = [
        model.preprocess(tf.cast(found["image"], tf.float32)[None])[0][0]
        for found in records.map(decoder.decode).take(min(images, 20))
    ]
    with open(f"{config}.{WAYS.index(way)}.bin", "wb") as handle:
        for image in images_seen:
            handle.write(image.numpy().astype("float32").tobytes())
    answer["range"] = float(tf.reduce_max(images_seen[0]) - tf.reduce_min(images_seen[0]))
    answer["batch_size"] = int(train.batch_size)
    if steps:
        answer["step_s"] = step_time(config, steps)
    print(json.dumps(answer))


def rate(dataset: Any, count: int) -> float:
    """Elements per second, after some that are not counted: as many as may have been fetched ahead."""
    elements = iter(dataset)
    for _ in range(min(NOT_TIMED, count)):
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
    for way, max_side in zip(WAYS, (None, None, options.max_side), strict=True):
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
    names = ("read", "read and decode", "whole pipeline")
    row: dict[str, Any] = {"way": way, **{name: statistics.median(each[name] for each in found) for name in names}}
    row["difference_of_255"] = round(255 * noise / found[0]["range"], 2)
    if "step_s" in found[0]:
        row["step_s"] = statistics.median(each["step_s"] for each in found)
        row["input_s_per_step"] = round(found[0]["batch_size"] / row["whole pipeline"], 4)
        row["bound_by"] = "input" if row["input_s_per_step"] > row["step_s"] else "network"
    return row


if __name__ == "__main__":
    main()
