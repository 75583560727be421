from __future__ import annotations

import pytest

from kpt_tools.report.regions import disjoint, within


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        ((8.0, 12.0, 16.0, 20.0), (2, 3, 4, 5)),
        ((8.1, 12.9, 16.1, 19.9), (2, 3, 5, 5)),
        ((-5.0, -1.0, 1000.0, 3.0), (0, 0, 100, 1)),
        ((-9.0, -9.0, -5.0, -5.0), (0, 0, -1, -1)),
    ],
    ids=["exact", "outwards", "cut at the border", "outside"],
)
def test_within(extent: tuple[float, float, float, float], expected: tuple[int, int, int, int]) -> None:
    assert within(extent, 4, (100, 80)) == expected


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([], []),
        ([(0, 0, 2, 2), (2, 0, 4, 2)], [((0, 0, 2, 2), [0]), ((2, 0, 4, 2), [1])]),
        ([(0, 0, 3, 3), (2, 2, 5, 4)], [((0, 0, 5, 4), [0, 1])]),
        ([(0, 0, 2, 2), (8, 0, 10, 2), (1, 0, 9, 1)], [((0, 0, 10, 2), [0, 1, 2])]),
        ([(0, 0, 2, 9), (4, 8, 9, 9), (1, 0, 5, 1)], [((0, 0, 9, 9), [0, 1, 2])]),
        ([(0, 0, -1, -1), (0, 0, 1, 1), (5, 5, 5, 9)], [((0, 0, 1, 1), [1])]),
    ],
    ids=["none", "side by side", "two", "a third joins two", "grown until nothing touches", "empty ones"],
)
def test_disjoint(regions: list[tuple[int, int, int, int]], expected: list[object]) -> None:
    assert disjoint(regions) == expected
