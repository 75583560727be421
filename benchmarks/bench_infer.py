"""kpt-tools infer against the way of the guides (guide_infer.py): whole processes, from start to the last file.

    python benchmarks/bench_infer.py EXPORT --images FOLDER [FOLDER ...] [--count 200] [--rounds 5]

EXPORT is a folder of `kpt-tools export`. All sides read the same pictures from a folder, write annotated pictures and
their detections, and are started in turn as processes of their own, after one start of each that is not counted:
`infer` as it is by default, `infer` in float32 (--skip-float32 leaves it out), and the guides' way. Told are the
medians of the whole time, their ratio, processor time, the largest resident memory of each, and how far boxes and
keypoints are from those of the guides' way. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import machine, summary

HERE = Path(__file__).resolve().parent
KINDS = {".jpg", ".jpeg", ".png"}
DEFAULT, GUIDE = "infer", "the guides' way"
SCORE_MARGIN = 0.02
"""A detection so close to the least score may be on one side only."""


@dataclass
class Side:
    """One contender and what its starts took."""

    name: str
    command: list[str]
    out: Path
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)

    def start(self, *, counted: bool = True) -> None:
        """Run it once, in an empty folder."""
        shutil.rmtree(self.out, ignore_errors=True)
        begin = time.perf_counter()
        with subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            text = process.stdout.read().decode(errors="replace")
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{self.name} failed ({process.returncode}):\n{text[-3000:]}")
        if counted:
            self.seconds.append(seconds)
            self.cpu_seconds.append(usage.ru_utime + usage.ru_stime)
            self.peak_mb.append(usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024))

    def row(self, count: int) -> dict[str, Any]:
        """Its numbers."""
        median = statistics.median(self.seconds)
        return {
            "name": self.name,
            **summary(self.seconds),
            "images_per_s": round(count / median, 3),
            "cpu_median_s": round(statistics.median(self.cpu_seconds), 2),
            "peak_rss_mb": round(statistics.median(self.peak_mb), 1),
        }


def gather(folders: Sequence[Path], count: int, target: Path) -> tuple[int, int]:
    """Link pictures, evenly over the folders, into one folder; how many, and how many different ones."""
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in KINDS]
    if not found:
        raise SystemExit(f"no pictures in {', '.join(map(str, folders))}")
    chosen = [found[number * len(found) // count] for number in range(count)]
    target.mkdir()
    for number, path in enumerate(chosen):
        (target / f"{number:04d}{path.suffix.lower()}").symlink_to(path.resolve())
    return len(chosen), len(set(chosen))


def points_of(row: dict[str, Any]) -> list[list[float]]:
    """x, y and score of each keypoint of a detection."""
    flat = row.get("keypoints", [])
    return [flat[begin : begin + 3] for begin in range(0, len(flat), 3)]


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of two lists of numbers."""
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0.0)


def ours_of(out: Path) -> dict[str, list[dict[str, Any]]]:
    """What kpt-tools found, as the other side writes it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["file_name"]] = [
            {
                "class": each["category_id"],
                "score": each["score"],
                "box": [
                    each["bbox"][1],
                    each["bbox"][0],
                    each["bbox"][1] + each["bbox"][3],
                    each["bbox"][0] + each["bbox"][2],
                ],
                "points": [[y, x] for x, y, _ in points_of(each)],
            }
            for each in row["detections"]
        ]
    return found


def compare(
    ours: dict[str, list[dict[str, Any]]],
    theirs: dict[str, list[dict[str, Any]]],
    slots: dict[int, list[int]],
    min_score: float,
) -> dict[str, Any]:
    """Largest differences over the detections of the other side, each with the nearest of ours of its class."""
    worst = {"box_px": 0.0, "keypoint_px": 0.0, "score": 0.0}
    alone = pairs = 0
    for name, rows in theirs.items():
        left = list(ours[name])
        for row in rows:
            same = [each for each in left if each["class"] == row["class"]]
            if not same:
                alone += row["score"] >= min_score + SCORE_MARGIN
                continue
            best = min(same, key=lambda each, box=row["box"]: apart(each["box"], box))  # type: ignore[misc]
            left.remove(best)
            pairs += 1
            points = [row["points"][slot] for slot in slots[row["class"]]] if row["points"] else []
            away = {
                "box_px": apart(best["box"], row["box"]),
                "keypoint_px": max([apart(p, q) for p, q in zip(best["points"], points, strict=True)], default=0.0),
                "score": abs(best["score"] - row["score"]),
            }
            worst = {key: max(worst[key], value) for key, value in away.items()}
        alone += sum(each["score"] >= min_score + SCORE_MARGIN for each in left)
    return {"pairs": pairs, "alone": alone, **{key: round(value, 4) for key, value in worst.items()}}


def slots_of(export: Path) -> dict[int, list[int]]:
    """Keypoint slots of each class of the model."""
    from kpt_tools.config.model_metadata import read_metadata

    return {item.id: [point.id for point in item.keypoints] for item in read_metadata(export).label_map.items}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip-float32", action="store_true", help="of kpt-tools measure the default only")
    parser.add_argument("--side", type=int, default=0, help="the guide resizes with OpenCV to this size first")
    parser.add_argument("--min-score", type=float, default=0.3)
    parser.add_argument("--scratch", type=Path, help="where pictures are written; default: the system's place")
    flags = parser.parse_args()
    info = machine(
        "tensorflow", "onnxruntime", "openvino", "ai-edge-litert", "opencv-python-headless", "pillow", "numpy"
    )
    with tempfile.TemporaryDirectory(dir=flags.scratch) as name:
        scratch = Path(name)
        count, different = gather(flags.images, flags.count, scratch / "images")
        images, score = str(scratch / "images"), str(flags.min_score)
        ours = [sys.executable, "-m", "kpt_tools", "infer", images, "--model", str(flags.export), "--min-score", score]
        sides = [Side(DEFAULT, [*ours, "--out", str(scratch / "default")], scratch / "default")]
        if not flags.skip_float32:
            exact = [*ours, "--out", str(scratch / "float32"), "--engine", "auto", "--precision", "float32"]
            sides.append(Side("infer, float32", exact, scratch / "float32"))
        guide = [sys.executable, str(HERE / "guide_infer.py"), str(flags.export / "saved_model"), images]
        guide += [str(scratch / "guide"), "--side", str(flags.side), "--min-score", score]
        sides.append(Side(GUIDE, guide, scratch / "guide"))
        for side in sides:  # files into the cache
            side.start(counted=False)
        for turn in range(flags.rounds):  # alternating, so that what else the machine does meets all
            for side in sides[:: 1 if turn % 2 == 0 else -1]:
                side.start()
        theirs = json.loads((scratch / "guide" / "detections.json").read_text(encoding="utf-8"))
        rows = [side.row(count) for side in sides]
        for side, row in zip(sides[:-1], rows, strict=False):
            row["differences"] = compare(ours_of(side.out), theirs, slots_of(flags.export), flags.min_score)
            row["engine"] = json.loads((side.out / "run.json").read_text(encoding="utf-8"))["engine"]
    tell(rows, info, f"{flags.export}; {count} pictures ({different} different), {flags.rounds} rounds")


def tell(rows: list[dict[str, Any]], info: dict[str, Any], what: str) -> None:
    """Print the result; the last row is that of the guides' way."""
    print(", ".join(f"{key} {value}" for key, value in info.items()))
    print(what)
    for row in rows:
        print(
            f"{row['name']:18}median {row['median_s']:8.2f} s ({row['least_s']:.2f} to {row['most_s']:.2f}), "
            f"{row['images_per_s']:7.2f} images/s, processor {row['cpu_median_s']:8.1f} s, "
            f"resident {row['peak_rss_mb']:7.0f} MB"
        )
    guide = rows[-1]
    for row in rows[:-1]:
        row["ratio_of_medians"] = round(guide["median_s"] / row["median_s"], 2)
        row["ratio_of_cpu"] = round(guide["cpu_median_s"] / row["cpu_median_s"], 2)
        row["ratio_of_memory"] = round(row["peak_rss_mb"] / guide["peak_rss_mb"], 3)
        away = row["differences"]
        print(
            f"{row['name']} ({row['engine']}): {row['ratio_of_medians']} times as fast (ratio of the medians), "
            f"{row['ratio_of_cpu']} times less processor time, {row['ratio_of_memory']} of the memory; "
            f"{away['pairs']} detections of both, {away['alone']} of one only; largest differences: "
            f"box {away['box_px']} px, keypoint {away['keypoint_px']} px, score {away['score']}"
        )
    print(json.dumps({"benchmark": "infer", "machine": info, "what": what, "sides": rows}))


if __name__ == "__main__":
    main()
