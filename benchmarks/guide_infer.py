"""Detection the way the guides of the OD API show it: load the SavedModel, loop, call it with one picture, draw.

    python benchmarks/guide_infer.py EXPORT/saved_model IMAGES OUT [--side 512] [--min-score 0.3]

It uses TensorFlow, OpenCV and NumPy only, and nothing of kpt-tools; `bench_infer.py` runs it as the other side.
Pictures go in at their size, since the model resizes them itself; with --side they are resized with OpenCV first, as
some guides do. Writes the annotated pictures and OUT/detections.json.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

COLOURS = [(0, 200, 255), (0, 255, 0), (255, 80, 80), (255, 0, 255), (255, 255, 0), (80, 160, 255)]


def draw(image: np.ndarray[Any, Any], boxes: Any, scores: Any, points: Any, min_score: float) -> None:
    """Draw boxes, scores and points on a picture, which is changed."""
    height, width = image.shape[:2]
    for row, score in enumerate(scores):
        if score < min_score:
            continue
        y1, x1, y2, x2 = (boxes[row] * (height, width, height, width)).astype(int)
        cv2.rectangle(image, (x1, y1), (x2, y2), (0, 200, 255), 2)
        cv2.putText(image, f"{score:.2f}", (x1, max(y1 - 5, 10)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 200, 255), 1)
        for number, (y, x) in enumerate([] if points is None else points[row]):
            place = (int(x * width), int(y * height))
            cv2.circle(image, place, 4, COLOURS[number % len(COLOURS)], -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("saved_model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--min-score", type=float, default=0.3)
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    model = tf.saved_model.load(str(flags.saved_model))
    detect = model.signatures["serving_default"]
    found = {}
    for name in sorted(os.listdir(flags.images)):
        image = cv2.imread(str(flags.images / name))
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if flags.side:
            rgb = cv2.resize(rgb, (flags.side, flags.side))
        output = detect(input_tensor=tf.convert_to_tensor(rgb)[tf.newaxis])
        output = {key: value.numpy()[0] for key, value in output.items()}
        boxes, scores = output["detection_boxes"], output["detection_scores"]
        points = output.get("detection_keypoints")
        draw(image, boxes, scores, points, flags.min_score)
        cv2.imwrite(str(flags.out / name), image)
        height, width = image.shape[:2]
        found[name] = [
            {
                "class": int(output["detection_classes"][row]),
                "score": float(scores[row]),
                "box": (boxes[row] * (height, width, height, width)).tolist(),
                "points": [] if points is None else (points[row] * (height, width)).tolist(),
            }
            for row in np.nonzero(scores >= flags.min_score)[0]
        ]
    (flags.out / "detections.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
