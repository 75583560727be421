"""Peak memory of `kpt-tools make-tfrecord` with a large JSON, and with one of a tenth of it.

    python benchmarks/bench_memory.py [--images 120000] [--objects 100000] [--megabytes 500]

100,000 objects have 1.7 million keypoints. Needs about 2.5 GB of disk. Prints both peaks, what an image costs, and one
JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import machine

WRITER = "from large_coco import write_project; from pathlib import Path; import sys; a = sys.argv[1:]; \
print(write_project(Path(a[0]), int(a[1]), int(a[2]), float(a[3])))"


def measure(work: Path, images: int, objects: int, megabytes: float) -> dict[str, Any]:
    """Write a project with a process of its own, convert it with another."""
    arguments = [str(work), str(images), str(objects), str(megabytes)]
    written = subprocess.run(
        [sys.executable, "-c", WRITER, *arguments], cwd=Path(__file__).parent, stdout=subprocess.PIPE, check=True
    )
    out = work / "out"
    command = [sys.executable, "-m", "kpt_tools", "make-tfrecord", str(work / "annotations.json"),
               str(work / "images"), "--out", str(out), "--label-map", str(out / "label_map.pbtxt")]  # fmt: skip
    begin = time.perf_counter()
    with (work / "log").open("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        log.seek(0)
        text = log.read()
    if os.waitstatus_to_exitcode(status) or (f"Used {images} of {images}" not in text and images <= objects):
        raise SystemExit(f"make-tfrecord failed:\n{text[-3000:]}")
    return {
        "images": images,
        "objects": objects,
        "json_mb": round(int(written.stdout) / 1e6, 1),
        "seconds": round(time.perf_counter() - begin, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024), 1),
        "summary": next((line for line in text.splitlines() if line.startswith("Used ")), ""),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of kpt-tools make-tfrecord.")
    parser.add_argument("--images", type=int, default=120_000)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--work", type=Path, help="folder for everything; default: a temporary one")
    options = parser.parse_args()
    rows = []
    for part in (10, 1):
        with tempfile.TemporaryDirectory(dir=options.work) as name:
            work = Path(name) / "project"
            rows.append(measure(work, options.images // part, options.objects // part, options.megabytes / part))
            shutil.rmtree(work)
        print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    small, large = rows
    per_image = (large["peak_mb"] - small["peak_mb"]) * 1e3 / (large["images"] - small["images"])
    print(f"{per_image:.2f} KB more for each image more; {large['peak_mb'] / large['json_mb']:.2f} times the JSON")
    about = machine("kpt-tools", "protobuf")
    print(json.dumps({"benchmark": "memory", "machine": about, "runs": rows, "kb_per_image": round(per_image, 3)}))


if __name__ == "__main__":
    main()
