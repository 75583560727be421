from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from kpt_tools.inference.openvino import _warm_requests


@pytest.mark.parametrize(("count", "runs"), [(1, 0), (3, 1)])
def test_requests_run_alone_before_they_run_side_by_side(count: int, runs: int) -> None:
    """OpenVINO can deadlock where the first runs of two requests meet: `infer` hung in one start of nine."""
    alone = threading.Lock()
    done: list[tuple[int, ...]] = []

    def infer(arrays: list[Any]) -> None:
        assert alone.acquire(blocking=False)
        done.append(arrays[0].shape)
        alone.release()

    compiled = SimpleNamespace(
        create_infer_request=lambda: SimpleNamespace(infer=infer), input=lambda _: SimpleNamespace(shape=[1, 4, 6, 3])
    )
    requests = _warm_requests(compiled, count)
    assert requests.qsize() == count
    assert done == [(1, 4, 6, 3)] * (runs * count)
