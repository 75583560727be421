"""Parts of a picture that can be worked on one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

Region = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture; the last two are outside."""


def within(extent: tuple[float, float, float, float], fine: int, picture_wh: tuple[int, int]) -> Region:
    """The whole pixels around an extent, as far as they are in the picture.

    Args:
        extent: left, top, right, bottom, in units that are `fine` times smaller than pixels.
        fine: units per pixel.
        picture_wh: width and height of the picture in pixels.
    """
    left, top, right, bottom = extent
    return (
        max(math.floor(left / fine), 0),
        max(math.floor(top / fine), 0),
        min(math.ceil(right / fine), picture_wh[0]),
        min(math.ceil(bottom / fine), picture_wh[1]),
    )


def disjoint(regions: Sequence[Region]) -> list[tuple[Region, list[int]]]:
    """Regions that do not overlap and hold all the given ones, each with the positions of those in it, in order.

    Those that overlap become one, the smallest around them. Empty ones are left out.
    """
    found: list[tuple[Region, list[int]]] = []
    for number, region in enumerate(regions):
        if region[0] >= region[2] or region[1] >= region[3]:
            continue
        members = [number]
        while touching := [other for other in found if _overlap(other[0], region)]:
            found = [other for other in found if other not in touching]
            for other, own in touching:
                region = (
                    min(region[0], other[0]),
                    min(region[1], other[1]),
                    max(region[2], other[2]),
                    max(region[3], other[3]),
                )
                members += own
        found.append((region, members))
    return [(region, sorted(members)) for region, members in found]


def _overlap(a: Region, b: Region) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
