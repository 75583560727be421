"""Network x target x decoding on CAT: how good are the points, and what does it cost?

    python benchmarks/bench_heatmap.py --cat ../shared/data/cat/CAT_00 --work runs/bench_heatmap

Prepares the data twice (60/20/20 as the files stand, as the document does; and by groups of pictures that can show the
same cat), trains every row, measures it on test in every decoding, and prints one table and one JSON object as the last
line. Everything is kept below --work: run it again after a stop and it goes on where it was. `--rows NAME ...` trains
some rows only, `--budget 0.1` only a tenth of each row's epochs (kept apart from the whole ones), `--list` names them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpt_tools.config.heatmap import HeatmapEvalConfig, HeatmapPrepareConfig, HeatmapTrainConfig
from kpt_tools.fsio import read_json, write_json
from kpt_tools.stages.heatmap_eval import heatmap_eval
from kpt_tools.stages.heatmap_job import resolved_recipe
from kpt_tools.stages.heatmap_prepare import heatmap_prepare
from kpt_tools.stages.heatmap_train import heatmap_train
from kpt_tools.stages.run_manifest import versions

GROUPS, IN_ORDER = "groups", "in-order"
FINDER = "whole-mobile-softargmax-160"
EPOCHS, EPOCHS_OF_CROPS = 60, 30


@dataclass(frozen=True)
class Row:
    """A training: what differs from a recipe, on which split."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    split: str = GROUPS
    first: bool = False


def crop(name: str, **settings: Any) -> Row:
    """A model of crops at 128 px, which the finder tells where to look."""
    return Row(name, {"region": "points", "epochs": EPOCHS_OF_CROPS, **settings}, first=True)


ROWS = (
    Row(FINDER, {"region": "whole", "size": 160, "target": "softargmax", "epochs": EPOCHS}),
    Row("both-mobile-softargmax", {"epochs": EPOCHS, "target": "softargmax"}),
    Row("both-mobile-gaussian", {"epochs": EPOCHS, "target": "gaussian"}),
    Row("both-mobile-softargmax-turned", {"epochs": EPOCHS, "target": "softargmax", "rotate_deg": 60.0}),
    crop("crop-mobile-softargmax", target="softargmax"),
    crop("crop-mobile-simcc", target="simcc"),
    crop("crop-mobile-gaussian", target="gaussian"),
    crop("crop-mobile-gaussian-awing", target="gaussian", loss="awing"),
    crop("crop-mobile-circle", target="circle"),
    crop("crop-unet-gaussian", model="unet", target="gaussian"),
    crop("crop-hourglass-gaussian", model="hourglass", target="gaussian"),
    crop("crop-direct", model="direct", target="points"),
    Row("document", {"recipe": "document"}, first=True),
    Row("document-its-split", {"recipe": "document"}, split=IN_ORDER),
    Row("document-gaussian", {"recipe": "document", "target": "gaussian"}, first=True),
)


def prepared(cat: Path, work: Path, split: str) -> Path:
    out = work / f"data-{split}"
    if not (out / "manifest.json").is_file():
        say(f"preparing {out}")
        heatmap_prepare(HeatmapPrepareConfig(source=cat, out=out, split=split))
    return out


def train_row(row: Row, options: argparse.Namespace) -> dict[str, Any]:
    """Train and measure one row, or read what an earlier call measured."""
    work = options.work
    place = work / f"budget-{options.budget:g}" / row.name
    data = prepared(options.cat, work, row.split)
    whole = HeatmapTrainConfig(data=data, run=place, **row.settings)
    epochs = max(1, round(resolved_recipe(whole).epochs * options.budget))
    config = HeatmapTrainConfig(**{**whole.__dict__, "epochs": epochs})
    result_path = place / "row.json"
    finder = work / f"budget-{options.budget:g}" / FINDER
    first = finder if row.first and (finder / "export").is_dir() else None
    wanted = {"epochs": epochs, "first": first is not None}
    if result_path.is_file():
        known: dict[str, Any] = read_json(result_path, what="row of this benchmark")
        if known["wanted"] == wanted:
            return known
    begin = time.monotonic()
    trained = heatmap_train(config, lambda event: tell(row, event, begin))
    if trained.interrupted:
        raise KeyboardInterrupt
    say(f"{row.name}: measuring")
    measured = heatmap_eval(HeatmapEvalConfig(model=place, data=data, first=first))
    spec = trained.spec
    result = {
        "name": row.name,
        "wanted": wanted,
        "split": row.split,
        "model": spec.model,
        "target": spec.target,
        "region": spec.region,
        "input_px": spec.input_px,
        "parameters": read_json(place / "run.json", what="run.json").get("parameters"),
        "training_seconds": round(trained.seconds, 1),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        **measured.to_dict(),
        "rows": [brief(each.to_dict()) for each in measured.rows],
    }
    write_json(result_path, result)
    return result


def brief(row: dict[str, Any]) -> dict[str, Any]:
    """Without the curve and the single keypoints; eval.json of the row has them."""
    errors = {name: value for name, value in row["errors"].items() if name != "pck_curve"}
    return {**{name: value for name, value in row.items() if name != "keypoints"}, "errors": errors}


def tell(row: Row, event: dict[str, Any], begin: float) -> None:
    if event["kind"] == "epoch":
        say(
            f"{row.name}: epoch {event['epoch']}/{event['epochs']}, loss {event['loss']:.4f}, "
            f"val error {event['val_error']:.2%}, {time.monotonic() - begin:.0f} s"
        )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: one line per row, look and decoding."""
    head = ("row", "split", "model x target", "px", "look", "decoding", "MSE", "MSE of zeros", "NME", "median NME",
            "NME > 0.1", "PCK@0.1", "median px", "parameters", "train s", "images/s")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for found in results:
        for row in found["rows"]:
            own = row["decoding"] == found["decoding"]
            cells = (
                found["name"], found["split"], f"{found['model']} x {found['target']}", str(found["input_px"]),
                row["mode"], row["decoding"] + " *" * own, shown(found["mse"], 5), shown(found["mse_of_zeros"], 5),
                shown(row["nme"]["mean"], 4), shown(row["nme"]["median"], 4), shown(row["nme"]["failures"], 3),
                shown(row["errors"]["pck@0.1"], 3), shown(row["errors"]["median_px"], 2), f"{found['parameters']:,}",
                f"{found['training_seconds']:.0f}", f"{found['images_per_s']:.1f}",
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cat", type=Path, default=Path("../shared/data/cat/CAT_00"), help="folder of CAT")
    parser.add_argument("--work", type=Path, default=Path("runs/bench_heatmap"))
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], metavar="NAME")
    parser.add_argument("--budget", type=float, default=1.0, help="share of each row's epochs")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(row.name for row in ROWS))
        return
    results = []
    for row in ROWS:
        if options.rows is None or row.name in options.rows:
            results.append(train_row(row, options))
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), **versions()}
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    print(f"share of the epochs: {options.budget:g}; * the decoding that suits the target")
    print(table(results))
    honest = [
        (row["nme"]["mean"], found["name"], row["mode"], row["decoding"])
        for found in results
        for row in found["rows"]
        if found["split"] == GROUPS and row["nme"]["mean"] is not None
    ]
    best = {mode: min((each for each in honest if each[2] == mode), default=None) for mode in {h[2] for h in honest}}
    print(json.dumps({"benchmark": "heatmap", "budget": options.budget, "machine": machine, "best": best,
                      "rows": results}))  # fmt: skip


if __name__ == "__main__":
    main()
