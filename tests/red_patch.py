"""An engine for tests that finds red patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata


class RedPatchEngine:
    """Detects the red pixels as class 1 (two keypoints: its upper corners), and nothing in other pictures."""

    batch_size = calls = 1

    def __init__(self) -> None:
        patch = LabelMapItem(1, "patch", (KeypointLabel(0, "left", "left"), KeypointLabel(1, "right", "right")))
        self.metadata = ModelMetadata(
            LabelMap((patch, LabelMapItem(2, "bolt"))),
            skeleton=((0, 1),),
            sigmas=(0.05, 0.1),
            flip_pairs=((0, 1),),
            input_hw=(64, 64),
        )

    def detect(self, image: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        pixels = image.astype(int)
        ys, xs = np.nonzero((pixels[..., 0] > 180) & (pixels[..., 1] < 90) & (pixels[..., 2] < 90))
        height, width = image.shape[:2]
        found = ys.size > 20
        y1, x1 = (ys.min() / height, xs.min() / width) if found else (0.1, 0.1)
        y2, x2 = ((ys.max() + 1) / height, (xs.max() + 1) / width) if found else (0.2, 0.2)
        return {
            "detection_boxes": np.array([[y1, x1, y2, x2], [0.4, 0.4, 0.5, 0.5]], np.float32),
            "detection_classes": np.array([1, 2], np.float32),
            "detection_scores": np.array([0.9 if found else 0.05, 0.02], np.float32),
            "detection_keypoints": np.array([[[y1, x1], [y1, x2]], [[0, 0], [0, 0]]], np.float32),
            "detection_keypoint_scores": np.array([[0.8, 0.7], [0, 0]], np.float32),
        }

    def detect_batch(self, images: Sequence[np.ndarray[Any, Any]]) -> list[dict[str, np.ndarray[Any, Any]]]:
        return [self.detect(image) for image in images]
