"""2,000 randomly mutated JSONs: check, repair, split and stats give a report or one clear error, never a traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from good_data import good_json, write_good

from kpt_tools.annotations.codes import NEEDS_IMAGES
from kpt_tools.annotations.repairs.registry import REPAIRS
from kpt_tools.config.check import CheckConfig
from kpt_tools.config.repair import RepairConfig
from kpt_tools.config.split import SplitConfig
from kpt_tools.config.stats import StatsConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.check import check, result_dict
from kpt_tools.stages.repair import repair_file
from kpt_tools.stages.split import split
from kpt_tools.stages.stats import stats

SEED = 20240607
COUNT = 2000
BATCH = 200
OBJECTS = 24
_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 7, 2.5, -0.0, 1e308, -1e308, 1e-320, 10**30, 10**400, float("nan"), float("inf"),
    "", " ", "x", "n" * 300, "\x00", "\ud800", "ä" * 40, "[red]", "../../a", "C:\\a", [], [[]], [None], [0, 0, 0, 0],
    {}, {"id": 3}, [1, 2, 3], [[1, 2]], ["a", "a"], [float("nan")] * 4,
)  # fmt: skip


def small_json() -> dict[str, Any]:
    raw = good_json()
    return {**raw, "images": raw["images"][:OBJECTS], "annotations": raw["annotations"][:OBJECTS]}


def mutated(rng: random.Random) -> str:
    raw: Any = small_json()
    for _ in range(rng.choice((1, 1, 2, 3, 5, 12))):
        _mutate(raw, rng)
    if rng.random() < 0.02:
        raw = rng.choice((raw["images"], None, 5, "x", [raw], {"images": raw["images"]}))
    text = json.dumps(raw)
    kind = rng.random()
    if kind < 0.04:
        return text[: rng.randrange(len(text))]
    if kind < 0.08:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice('{}[]",:0\x01') + text[at + 1 :]
    return text


def _mutate(raw: Any, rng: random.Random) -> None:
    """Change, remove, double or exchange a value somewhere."""
    holder = raw
    for _ in range(rng.choice((1, 2, 3, 3, 4, 5))):
        below = [value for value in _values(holder) if isinstance(value, dict | list) and value]
        if not below:
            break
        holder = rng.choice(below)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys:
        return
    key, action = rng.choice(keys), rng.random()
    if action < 0.65:
        holder[key] = deepcopy(rng.choice(_ODD))
    elif action < 0.8:
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), json.loads(json.dumps(holder[key])))
    else:
        other = rng.choice(keys)
        holder[key], holder[other] = holder[other], holder[key]


def _values(holder: Any) -> list[Any]:
    return list(holder.values()) if isinstance(holder, dict) else list(holder)


def outcome(run: Callable[[], Any]) -> str:
    try:
        run()
    except (DataError, ConfigError) as exc:
        return "error" if "\n" not in str(exc) else "error of several lines"
    return "report"


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, COUNT, BATCH))
def test_no_traceback(start: int, tmp_path: Path) -> None:
    write_good(tmp_path / "good")
    outcomes: set[str] = set()
    for number in range(start, start + BATCH):
        rng = random.Random(SEED + number)
        path = tmp_path / f"{number}.json"
        path.write_text(mutated(rng), encoding="utf-8", errors="surrogatepass")
        try:
            outcomes |= {outcome(each) for each in _runs(path, tmp_path, with_images=number % 20 == 0)}
        except Exception as exc:
            pytest.fail(f"mutation {number}: {type(exc).__name__}: {exc}; its JSON is {path}")
    assert outcomes == {"error", "report"}


def _runs(path: Path, folder: Path, *, with_images: bool) -> list[Callable[[], Any]]:
    images = folder / "good" / "images"
    everything = ",".join(code for code in REPAIRS if code not in NEEDS_IMAGES)
    return [
        lambda: json.dumps(
            result_dict(check(CheckConfig(path, images, annotations_only=not with_images, workers=1))), allow_nan=False
        ),
        lambda: repair_file(RepairConfig(path, out=folder / "repaired.json", codes=everything)),
        lambda: split(SplitConfig(path, out=folder / "split", stratify=True)),
        lambda: stats(StatsConfig(path, json=folder / "stats.json")),
    ]


def test_the_mutations_differ_and_the_unmutated_is_sound(tmp_path: Path) -> None:
    texts = {mutated(random.Random(SEED + number)) for number in range(300)}
    assert len(texts) > 290
    path = tmp_path / "a.json"
    path.write_text(json.dumps(small_json()), encoding="utf-8")
    assert check(CheckConfig(path, annotations_only=True)).report.findings == []
