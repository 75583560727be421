"""What each engine costs on an exported model: start, time, memory, size, and how far it is from TensorFlow.

    python benchmarks/bench_engines.py runs/train/export my_pictures/*.jpg [--rounds 5] [--pictures 12]

Every model of the folder runs in a process of its own that answers picture by picture; the processes take turns, so
that other work on the machine hits all of them alike. Start is from the start of the process to the first detections.
Time is that of `Engine.detect`, resizing included. Differences are the largest over all detections that the SavedModel
scores 0.2 or more, in pixels of the picture, by position in the list. Prints the machine, and one JSON object as the
last line.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kpt_tools.config.engines import ENGINE_OF_FORMAT
from kpt_tools.config.export import FLOAT32, FORMATS, PRECISIONS, SAVED_MODEL, file_of
from kpt_tools.stages.run_manifest import versions

MIN_SCORE = 0.2


def models(folder: Path) -> Iterator[tuple[str, str]]:
    """Engine and precision of every model in the folder; the SavedModel first."""
    for format in FORMATS:
        for precision in PRECISIONS if format != SAVED_MODEL else (FLOAT32,):
            if (folder / file_of(format, precision)).is_file():
                yield ENGINE_OF_FORMAT[format], precision


def size_of(folder: Path, engine: str, precision: str) -> int:
    """Bytes of a model with its weights."""
    format = next(name for name, own in ENGINE_OF_FORMAT.items() if own == engine)
    if format == SAVED_MODEL:
        return sum(path.stat().st_size for path in (folder / SAVED_MODEL).rglob("*") if path.is_file())
    path = folder / file_of(format, precision)
    return sum(
        path.with_suffix(suffix).stat().st_size
        for suffix in {path.suffix, ".bin"}
        if path.with_suffix(suffix).is_file()
    )


def serve(folder: Path, engine: str, precision: str, images: list[Path]) -> None:
    """The child: load, say so, then detect in the picture whose number is asked for, until the input ends."""
    from kpt_tools.inference.images import load_image
    from kpt_tools.inference.open_engine import open_engine

    pictures = [load_image(path) for path in images]
    detector = open_engine(folder, engine, precision)
    for line in sys.stdin:
        picture = pictures[int(line)]
        begin = time.perf_counter()
        raw = detector.detect(picture)
        seconds = time.perf_counter() - begin
        height, width = picture.shape[:2]
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {
            "seconds": seconds,
            "peak_mb": peak_mb,
            "scores": raw["detection_scores"].tolist(),
            "boxes": (raw["detection_boxes"] * (height, width, height, width)).tolist(),
            "points": (raw["detection_keypoints"] * (height, width)).tolist() if "detection_keypoints" in raw else [],
        }
        print(json.dumps(answer), flush=True)


class Child:
    """A process that runs one model."""

    def __init__(self, folder: Path, engine: str, precision: str, images: list[Path]) -> None:
        self.name = f"{engine} {precision}"
        self.seconds: list[float] = []
        self.peak_mb = 0.0
        self.answers: dict[int, dict[str, Any]] = {}
        begin = time.perf_counter()
        command = [sys.executable, __file__, "--serve", engine, precision, str(folder), *map(str, images)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.ask(0, count=False)
        self.start = time.perf_counter() - begin

    def ask(self, number: int, *, count: bool = True) -> None:
        """Have a picture looked at."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(number, file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        self.peak_mb = answer["peak_mb"]
        self.answers[number] = answer
        if count:
            self.seconds.append(answer["seconds"])

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def differences(self, other: Child) -> dict[str, float]:
        """Largest differences to another model, over the detections that the other scores `MIN_SCORE` or more."""
        worst = {"score": 0.0, "box_px": 0.0, "keypoint_px": 0.0}
        for number, theirs in other.answers.items():
            mine = self.answers[number]
            for row, score in enumerate(theirs["scores"]):
                if score < MIN_SCORE:
                    continue
                pairs = {
                    "score": [(mine["scores"][row], score)],
                    "box_px": list(zip(mine["boxes"][row], theirs["boxes"][row], strict=True)),
                    "keypoint_px": [
                        pair
                        for a, b in zip(mine["points"][row : row + 1], theirs["points"][row : row + 1], strict=True)
                        for one, two in zip(a, b, strict=True)
                        for pair in zip(one, two, strict=True)
                    ],
                }
                for name, values in pairs.items():
                    worst[name] = max([worst[name], *(abs(a - b) for a, b in values)])
        return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=12)
    flags = parser.parse_args()
    images = flags.images[:: max(len(flags.images) // flags.pictures, 1)][: flags.pictures]
    children = [Child(flags.folder, engine, precision, images) for engine, precision in models(flags.folder)]
    for _ in range(flags.rounds):
        for number in range(len(images)):
            for child in children:
                child.ask(number)
    first = children[0]
    print(f"{platform.processor() or platform.machine()}, {len(images)} pictures, {flags.rounds} rounds")
    print(f"{'':24}start s   ms median   ms best   ratio   peak MB   size MB   score     box px   keypoint px")
    rows = []
    for child in children:
        median, best = statistics.median(child.seconds), min(child.seconds)
        size = size_of(flags.folder, *child.name.split()) / 1e6
        ratio = statistics.median(first.seconds) / median
        away = child.differences(first)
        print(
            f"{child.name:22}{child.start:9.2f}{median * 1e3:12.1f}{best * 1e3:10.1f}{ratio:8.2f}{child.peak_mb:10.0f}"
            f"{size:10.1f}   {away['score']:.1e}   {away['box_px']:6.3f}   {away['keypoint_px']:6.3f}"
        )
        rows.append(
            {"model": child.name, "start_s": child.start, "median_s": median, "best_s": best, "ratio": ratio}
            | {"peak_mb": child.peak_mb, "size_mb": size, **away}
        )
        child.close()
    print(json.dumps({"versions": versions(), "rows": rows}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[4]), sys.argv[2], sys.argv[3], [Path(name) for name in sys.argv[5:]])
    else:
        main()
