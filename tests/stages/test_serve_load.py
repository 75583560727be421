from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import requests
from serving import error_of, patch_bytes, post, serving

from kpt_tools.inference.engine import Engine


class SlowEngine:
    """Looks as `inner` does, when `go` is set, and counts how many look at the same time."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.metadata = inner, inner.metadata
        self.go, self.looking = threading.Event(), threading.Semaphore(0)
        self.now = self.most = 0

    def detect(self, image: np.ndarray[Any, Any]) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        self.looking.release()
        assert self.go.wait(10)
        time.sleep(0.02)
        self.now -= 1
        return self.inner.detect(image)


def test_two_at_a_time_and_one_after_the_other(engine: Engine) -> None:
    slow = SlowEngine(engine)
    with serving(slow) as url, ThreadPoolExecutor(2) as pool:
        left = pool.submit(post, f"{url}/predict", patch_bytes(10, 10), "left.png")
        right = pool.submit(post, f"{url}/annotate", patch_bytes(90, 70), "right.png")
        slow.go.set()
        answers = left.result().json(), right.result().json()
    assert answers[0]["detections"][0]["box_xywh_px"] == pytest.approx([10, 10, 50, 20], abs=0.01)
    assert answers[1]["coco"]["annotations"][0]["bbox"] == pytest.approx([90, 70, 50, 20], abs=0.01)
    assert slow.most == 1


def test_no_endless_queue(engine: Engine) -> None:
    slow = SlowEngine(engine)
    with serving(slow, max_waiting=0) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, f"{url}/predict", patch_bytes())
        assert slow.looking.acquire(timeout=10)
        second = post(f"{url}/predict", patch_bytes())
        assert requests.get(f"{url}/health", timeout=10).json()["busy"] == 1, "the rest is answered meanwhile"
        slow.go.set()
        assert first.result().status_code == 200
        third = post(f"{url}/predict", patch_bytes())
    assert (second.status_code, second.headers["Retry-After"]) == (503, "2")
    assert error_of(second) == "1 pictures are waiting already; try again in a moment."
    assert third.status_code == 200


class OtherEngine:
    """Gives the keypoints of another model."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.metadata = inner, inner.metadata

    def detect(self, image: np.ndarray[Any, Any]) -> Any:
        raw = dict(self.inner.detect(image))
        return {**raw, "detection_keypoints": raw["detection_keypoints"][:, :1]}


def test_the_models_fault_is_not_the_pictures(engine: Engine) -> None:
    with serving(OtherEngine(engine)) as url:
        response = post(f"{url}/predict", patch_bytes())
    assert response.status_code == 500
    assert "the model gives keypoints of shape [2, 1, 2]" in error_of(response)
