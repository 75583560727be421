from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pytest

from kpt_tools.errors import DataError
from kpt_tools.machine import available_cores
from kpt_tools.records.parallel import map_items
from kpt_tools.records.progress import silent

T = TypeVar("T")


def double(number: int) -> int:
    return 2 * number


def pid(number: int) -> int:
    return os.getpid()


def die(number: int) -> int:
    os._exit(1)


def fail(number: int) -> int:
    raise ValueError(f"item {number}")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_order_and_progress_sees_every_item(workers: int) -> None:
    seen = []

    def progress(items: Sequence[T], what: str) -> Iterable[T]:
        for item in items:
            seen.append((what, item))
            yield item

    found = list(map_items(double, range(50), workers=workers, what="work", progress=progress, least_items=1))
    assert found == [2 * number for number in range(50)]
    assert seen == [("work", number) for number in range(50)]


def test_few_items_stay_in_this_process() -> None:
    assert set(map_items(pid, range(10), workers=2, what="x", progress=silent)) == {os.getpid()}


def test_many_items_go_to_others() -> None:
    assert os.getpid() not in set(map_items(pid, range(10), workers=2, what="x", progress=silent, least_items=5))


def test_a_worker_that_dies_is_one_clear_error() -> None:
    with pytest.raises(DataError, match=r"looking: a worker process died.*--workers 1"):
        list(map_items(die, range(10), workers=2, what="looking", progress=silent, least_items=1))


def test_errors_of_the_work_come_through() -> None:
    with pytest.raises(ValueError, match="item 0"):
        list(map_items(fail, range(10), workers=2, what="x", progress=silent, least_items=1))


def test_there_is_a_core() -> None:
    assert available_cores() >= 1


def test_few_chunks_wait_at_a_time() -> None:
    asked = []

    class Items(Sequence[int]):
        def __len__(self) -> int:
            return 10_000

        def __getitem__(self, index: Any) -> Any:
            asked.append(index)
            return list(range(10_000))[index]

    results = map_items(double, Items(), workers=1 + 1, what="x", progress=lambda items, what: range(10_000))
    assert next(results) == 0
    assert len(asked) <= 10
    results.close()
