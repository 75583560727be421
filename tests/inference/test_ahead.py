from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kpt_tools.inference.ahead import ahead


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as threads:
        yield threads


def square_late(number: int) -> int:
    """The first ones take longest, so that they are overtaken."""
    time.sleep(0.02 if number < 3 else 0.0)
    return number * number


def test_in_order(pool: ThreadPoolExecutor) -> None:
    found = [(item, future.result()) for item, future in ahead(range(20), square_late, pool, 6)]
    assert found == [(number, number * number) for number in range(20)]


def test_no_items(pool: ThreadPoolExecutor) -> None:
    assert list(ahead([], square_late, pool, 2)) == []


@pytest.mark.parametrize("window", [1, 4])
def test_never_more_than_the_window(pool: ThreadPoolExecutor, window: int) -> None:
    taken: list[int] = []
    items = (taken.append(number) or number for number in range(50))  # type: ignore[func-returns-value]
    for position, (item, _) in enumerate(ahead(items, square_late, pool, window)):
        time.sleep(0.002)
        assert item == position
        assert len(taken) <= position + window + 1, "one more is looked at, but not loaded"
    assert len(taken) == 50


def test_works_while_the_consumer_is_busy(pool: ThreadPoolExecutor) -> None:
    loaded = threading.Event()

    def load(number: int) -> None:
        if number == 3:
            loaded.set()

    stream = ahead(range(10), load, pool, 4)
    next(stream)
    assert loaded.wait(5), "nobody has asked for the fourth"
    stream.close()


def test_an_error_of_loading_stays_with_its_item(pool: ThreadPoolExecutor) -> None:
    def load(number: int) -> float:
        return 1 / number

    stream = ahead([1, 0, 2], load, pool, 2)
    assert next(stream)[1].result() == 1
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        next(stream)[1].result()
    assert next(stream)[1].result() == 0.5


def test_an_error_of_the_items_comes_through(pool: ThreadPoolExecutor) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    stream = ahead(items(), square_late, pool, 2)
    assert next(stream)[0] == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_closing_closes_the_items_and_ends_the_thread(pool: ThreadPoolExecutor) -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    stream = ahead(items(), square_late, pool, 2)
    next(stream)
    stream.close()
    assert closed.is_set()
    assert "kpt-tools-sources" not in [thread.name for thread in threading.enumerate()]
