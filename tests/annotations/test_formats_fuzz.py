"""Whatever a file holds, a reader gives a data set that can be written in every format, or one clear error."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from exchange_factories import mice, workshop

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.annotations.formats import cvat, deeplabcut, label_studio, labelme, yolo_pose
from kpt_tools.annotations.formats.base import ReadOptions, WriteOptions, without_absurd
from kpt_tools.annotations.formats.coco_annotator import import_ready
from kpt_tools.annotations.formats.registry import FORMATS, kind_of_json
from kpt_tools.annotations.merge import MergePolicy, merge
from kpt_tools.entities import Dataset, Report
from kpt_tools.errors import KptToolsError

ROUNDS = 400
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 7, 1e308, -1e308, 2.5, float("nan"), float("inf"), "", "x", "../../x.jpg", "a\0b", "\ud800", [],
    {}, [[]], [None], {"a": {}}, [[1, 2], [3]], "9" * 400, 10**400,
)  # fmt: skip


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys to every value within a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*here, key)
        yield from places(inner, (*here, key))


def mutated(value: Any, rng: random.Random) -> Any:
    """A copy with one to three values replaced, removed or doubled."""
    result = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        found = list(places(result))
        if not found:
            return rng.choice(ODD)
        *path, key = rng.choice(found)
        parent = result
        for step in path:
            parent = parent[step]
        action = rng.random()
        if action < 0.15:
            del parent[key]
        elif action < 0.3 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[key] = copy.deepcopy(rng.choice(ODD))
    return result


def mutated_text(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        row = rng.randrange(len(lines))
        cells = lines[row].split(",") if "," in lines[row] else lines[row].split(" ")
        cells[rng.randrange(len(cells))] = str(
            rng.choice(("", "x", "nan", "inf", "-1", "1e400", "0 0", ",", '"', "2.5"))
        )
        lines[row] = (" " if "," not in lines[row] else ",").join(cells)
    return "\n".join(lines)


def use(dataset: Dataset, report: Report) -> None:
    """Write the data set in every format, and merge it with another; strict JSON each time."""
    json.dumps(report.to_dict(), allow_nan=False)
    dataset, _ = without_absurd(dataset)
    flips = {row.id: tuple(range(len(row.keypoints))) for row in dataset.categories}
    for name, target in FORMATS.items():
        if name != "deeplabcut-h5":
            attempt(lambda target=target: target.write(dataset, WriteOptions(flips=flips, scorer="ann")))
    json.dumps(import_ready(dataset)[0], allow_nan=False)
    attempt(lambda: merge([("a", dataset), ("b", workshop())], MergePolicy(), lambda *pair: True))


def check_message(exc: KptToolsError) -> None:
    assert "\n" not in str(exc)
    assert len(str(exc)) > 20


def attempt(action: Any) -> None:
    try:
        action()
    except KptToolsError as exc:
        check_message(exc)


def parse_any(name: str, raw: Any) -> tuple[Dataset, Report]:
    options = ReadOptions()
    if name == "labelme":
        return labelme.parse(raw if isinstance(raw, dict) else {"a.json": raw}, "folder", options)
    if name == "label-studio":
        return label_studio.parse(raw, "tasks.json", options)
    return cvat.parse(raw, "a.json") if name == "cvat" else parse_coco(raw, "a.json")


def genuine(name: str) -> Any:
    written = FORMATS[name].write(workshop(), WriteOptions())
    texts = {key: json.loads(text) for key, text in written.files.items() if key.endswith(".json")}
    return texts if name == "labelme" else next(iter(texts.values()))


@pytest.mark.parametrize("name", ["coco", "coco-annotator", "cvat", "labelme", "label-studio"])
def test_mutated_json(name: str) -> None:
    rng = random.Random(name)
    good = genuine(name)
    read = 0
    for _ in range(ROUNDS):
        raw = mutated(good, rng)
        kind_of_json(raw)
        try:
            dataset, report = parse_any(name, raw)
        except KptToolsError as exc:
            check_message(exc)
            continue
        read += 1
        use(dataset, report)
    assert read > ROUNDS / 2


def test_mutated_yolo() -> None:
    rng = random.Random(1)
    written = FORMATS["yolo-pose"].write(mice(), WriteOptions())
    good = yaml.safe_load(str(written.files["data.yaml"]))
    text = str(written.files["labels/train/img1.txt"])
    read = 0
    for number in range(ROUNDS):
        data = mutated(good, rng) if number % 2 else good
        images = [yolo_pose.YoloImage("a.jpg", 64, 48, text if number % 2 else mutated_text(text, rng))]
        try:
            dataset, report = yolo_pose.parse(
                data if isinstance(data, dict) else {}, images, ReadOptions(), "data.yaml"
            )
        except KptToolsError:
            continue
        read += 1
        use(dataset, report)
    assert read > ROUNDS / 2


def test_mutated_deeplabcut() -> None:
    rng = random.Random(2)
    (text,) = FORMATS["deeplabcut"].write(mice(), WriteOptions(scorer="ann")).files.values()
    read = 0
    for _ in range(ROUNDS):
        try:
            dataset, report = deeplabcut.parse({"a.csv": mutated_text(str(text), rng)}, "a.csv", ReadOptions())
        except KptToolsError:
            continue
        read += 1
        use(dataset, report)
    assert read > ROUNDS / 4
