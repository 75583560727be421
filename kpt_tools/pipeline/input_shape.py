"""The shape of a network's input for pictures that all have one shape.

A square input of which a quarter (4:3) or nearly half (16:9) is padding costs as much as one that is full. So where the
pictures agree, the input is a rectangle like them, in which they are at least as large as in the square.
"""

from __future__ import annotations

from itertools import product

from kpt_tools.config.network_input import MOST_STRETCH, stretch


def rectangle(aspect_range: tuple[float, float] | None, side: int, multiple: int) -> tuple[int, int] | None:
    """Height and width of the smallest rectangle that fits pictures, or None: a square with padding is better.

    Args:
        aspect_range: least and greatest width / height of the pictures; None if unknown.
        side: of the square, in pixels; the longer side of the rectangle is at least that.
        multiple: of which both sides must be, for the network's strides.
    """
    if aspect_range is None:
        return None
    sides = range(multiple, 4 * side + 1, multiple)
    fitting = [
        (height, width)
        for height, width in product(sides, sides)
        if height * width < side * side
        and max(height, width) >= side
        and all(stretch(width / height, aspect) <= MOST_STRETCH for aspect in aspect_range)
    ]
    return min(fitting, key=lambda hw: hw[0] * hw[1], default=None)
