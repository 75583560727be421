from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from kpt_tools.inference.openvino import Requests


class Recorder:
    """A compiled model that notes which of its requests began a run while others were running."""

    def __init__(self) -> None:
        self.made = 0
        self.running: set[int] = set()
        self.begun: list[tuple[int, frozenset[int]]] = []
        self.lock = threading.Lock()

    def create_infer_request(self) -> Any:
        number, self.made = self.made, self.made + 1
        return SimpleNamespace(infer=lambda arrays, **_: self.infer(number, arrays))

    def infer(self, number: int, arrays: list[str]) -> str:
        with self.lock:
            self.begun.append((number, frozenset(self.running)))
            self.running.add(number)
        time.sleep(0.01)
        with self.lock:
            self.running.remove(number)
        if arrays == ["bad"]:
            raise ValueError("bad")
        return f"found in {arrays[0]}"


def test_requests_run_alone_before_they_run_side_by_side() -> None:
    """OpenVINO can deadlock where the first runs of two requests meet: `infer` hung in one start of nine."""
    compiled = Recorder()
    requests = Requests(compiled, 3)
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(requests.infer, map(str, range(30)))) == [f"found in {number}" for number in range(30)]
    first = [next(entry for entry in compiled.begun if entry[0] == number) for number in range(3)]
    assert first == compiled.begun[:3]
    assert [others for _, others in first] == [frozenset()] * 3
    assert max(len(others) for _, others in compiled.begun) == 2, "side by side after that"


def test_a_first_run_that_fails_was_a_run() -> None:
    requests = Requests(Recorder(), 2)
    with pytest.raises(ValueError, match="bad"):
        requests.infer("bad")
    assert [requests.infer(name) for name in "abc"] == [f"found in {name}" for name in "abc"]
