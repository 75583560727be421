"""The side of Ultralytics in bench_accuracy.py; runs in an interpreter that has ultralytics and knows no kpt-tools.

The only argument is a JSON object; see `bench_accuracy.yolo`. Writes ``best.json`` and ``last.json`` with COCO results
of both checkpoints, and ``done.json`` with the seconds of the training, into the folder ``out``.
"""

import json
import sys
import time
from pathlib import Path

import yaml
from ultralytics import YOLO, __version__

MIN_SCORE = 0.001  # As Ultralytics' own validation.


def main() -> None:
    settings = json.loads(sys.argv[1])
    out = Path(settings["out"])
    begin = time.monotonic()
    model = YOLO(settings["model"])
    model.train(
        data=str(data_file(settings, out)),
        epochs=100_000,
        time=settings["seconds"] / 3600,
        patience=0,
        imgsz=settings["size"],
        batch=settings["batch"],
        seed=settings["seed"],
        flipud=settings["flipud"],
        pretrained=False,
        device="cpu",
        workers=2,
        plots=False,
        project=str(out),
        name="run",
    )
    seconds = time.monotonic() - begin
    for name in ("best", "last"):
        results = detect(YOLO(str(out / "run" / "weights" / f"{name}.pt")), settings)
        (out / f"{name}.json").write_text(json.dumps(results), encoding="utf-8")
    (out / "done.json").write_text(json.dumps({"seconds": round(seconds, 1), "ultralytics": __version__}))


def data_file(settings: dict, out: Path) -> Path:
    """One data.yaml for the two converted folders."""
    folder = Path(settings["train"])
    data = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    data |= {split: str(Path(settings[split]) / "images" / "train") for split in ("train", "val")}
    path = out / "data.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def detect(model: YOLO, settings: dict) -> list:
    """COCO results in all held-out pictures."""
    truth = json.loads(Path(settings["truth"]).read_text(encoding="utf-8"))
    categories = [category["id"] for category in truth["categories"]]
    pictures = Path(settings["val"]) / "images" / "train"
    rows = []
    for image in truth["images"]:
        path = pictures / image["file_name"]
        found = model.predict(str(path), imgsz=settings["size"], conf=MIN_SCORE, device="cpu", verbose=False)[0]
        points, boxes = found.keypoints.data.tolist(), found.boxes
        for (x1, y1, x2, y2), score, label, keypoints in zip(
            boxes.xyxy.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), points, strict=True
        ):
            rows.append(
                {
                    "file_name": image["file_name"],
                    "category_id": categories[int(label)],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": score,
                    "keypoints": [value for x, y, *_ in keypoints for value in (x, y, 1)],
                }
            )
    return rows


if __name__ == "__main__":
    main()
