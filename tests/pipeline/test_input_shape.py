"""The shape of the network's input."""

from __future__ import annotations

import pytest

from kpt_tools.config.network_input import stretch
from kpt_tools.pipeline.input_shape import rectangle


@pytest.mark.parametrize(
    ("aspect_range", "expected"),
    [
        pytest.param((4 / 3, 4 / 3), (192, 256), id="4:3"),
        pytest.param((3 / 4, 3 / 4), (256, 192), id="3:4"),
        pytest.param((16 / 9, 16 / 9), (160, 288), id="16:9"),
        pytest.param((3 / 2, 3 / 2), (192, 288), id="3:2"),
        pytest.param((1.32, 1.36), (192, 256), id="nearly"),
        pytest.param((5 / 4, 5 / 4), (224, 288), id="5:4"),
        pytest.param((1.0, 1.0), None, id="square"),
        pytest.param((0.97, 1.03), None, id="nearly square"),
        pytest.param((3 / 4, 4 / 3), None, id="portrait and landscape"),
        pytest.param((4 / 3, 16 / 9), None, id="two cameras"),
        pytest.param((1000.0, 1000.0), None, id="a line"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_the_smallest_rectangle_that_loses_nothing(
    aspect_range: tuple[float, float] | None, expected: tuple[int, int] | None
) -> None:
    assert rectangle(aspect_range, 256, 32) == expected


def test_stretch_is_the_same_both_ways() -> None:
    assert stretch(1.1, 1.0) == pytest.approx(0.1)
    assert stretch(1.0, 1.1) == pytest.approx(0.1)
