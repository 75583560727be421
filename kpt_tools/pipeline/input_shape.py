"""The shape of a network's input for pictures that all have one shape.

A square input of which a quarter (4:3) or nearly half (16:9) is padding costs as much as one that is full. So where the
pictures agree, the input is a rectangle like them, with at most as many pixels as the square.
"""

from __future__ import annotations

from kpt_tools.config.network_input import MOST_STRETCH


def rectangle(aspect_range: tuple[float, float] | None, side: int, multiple: int) -> tuple[int, int] | None:
    """Height and width of the largest rectangle that fits pictures, or None: a square with padding is better.

    Args:
        aspect_range: least and greatest width / height of the pictures; None if unknown.
        side: of the square, in pixels.
        multiple: of which both sides must be, for the network's strides; 0 for a network that takes squares only.
    """
    if aspect_range is None or not multiple:
        return None
    least, greatest = aspect_range
    most = side * side
    fitting = [
        (height, width)
        for height in range(multiple, most // multiple + 1, multiple)
        for width in range(multiple, most // height + 1, multiple)
        if stretch(width / height, least) <= MOST_STRETCH and stretch(width / height, greatest) <= MOST_STRETCH
    ]
    middle = (least * greatest) ** 0.5
    best = max(fitting, key=lambda hw: (hw[0] * hw[1], -stretch(hw[1] / hw[0], middle)), default=None)
    return None if best == (side, side) else best


def stretch(aspect: float, other: float) -> float:
    """How far a picture of one width / height is stretched to another: 0.05 for five per cent, either way."""
    return max(aspect / other, other / aspect) - 1.0
