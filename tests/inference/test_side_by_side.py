from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from kpt_tools.inference.side_by_side import BusyClock, SideBySide


def test_one_at_a_time_is_done_right_away_in_this_thread() -> None:
    calls: SideBySide[int, int] = SideBySide(1)
    threads = []

    def call(number: int) -> int:
        threads.append(threading.current_thread())
        return 2 * number

    assert [pair for number in range(3) for pair in calls.start(number, call)] == [(0, 0), (1, 2), (2, 4)]
    assert list(calls.finish()) == []
    assert threads == [threading.current_thread()] * 3


def test_several_at_once_come_in_order() -> None:
    """The first call ends only when the third has begun, so they did run at once."""
    third = threading.Event()

    def call(number: int) -> int:
        if number == 0:
            assert third.wait(30)
        if number == 2:
            third.set()
        return 2 * number

    calls: SideBySide[int, int] = SideBySide(3)
    due = [list(calls.start(number, call)) for number in range(5)]
    assert due == [[], [], [], [(0, 0)], [(1, 2)]], "three run, one waits"
    assert list(calls.finish()) == [(2, 4), (3, 6), (4, 8)]
    calls.close()


def failing(number: int) -> int:
    if number == 1:
        raise ValueError("one is too much")
    return number


def test_a_failure_comes_in_its_turn() -> None:
    calls: SideBySide[int, int] = SideBySide(2)
    assert list(calls.start(0, failing)) == list(calls.start(1, failing)) == []
    assert list(calls.start(2, failing)) == [(0, 0)]
    with pytest.raises(ValueError, match="one is too much"):
        list(calls.finish())
    calls.close()


def test_closing_waits_for_what_has_begun_and_forgets_the_rest() -> None:
    begun, may_end, done = threading.Semaphore(0), threading.Event(), []

    def call(number: int) -> None:
        begun.release()
        assert may_end.wait(30)
        done.append(number)

    calls: SideBySide[int, None] = SideBySide(2)
    first, second = calls.start(0, call), calls.start(1, call)
    assert list(first) == list(second) == []
    for _ in range(2):
        assert begun.acquire(timeout=30)
    threading.Timer(0.05, may_end.set).start()
    calls.close()
    assert sorted(done) == [0, 1]
    assert list(calls.finish()) == []


@pytest.mark.parametrize("inside", [lambda: None, lambda: time.sleep(0.02)], ids=["short", "long"])
def test_time_is_counted_once(inside: Callable[[], None]) -> None:
    clock = BusyClock()
    begin = time.perf_counter()
    with clock, clock:
        inside()
    assert 0 < clock.seconds <= time.perf_counter() - begin
    seconds = clock.seconds
    time.sleep(0.01)
    assert clock.seconds == seconds
