"""Objects of a picture that is stored smaller than it was annotated."""

from __future__ import annotations

from dataclasses import replace

from kpt_tools.entities import Instance


def reduced_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Width and height in whole pixels with the longer side at most `max_side`; never larger than given."""
    longer = max(width, height)
    if max_side is None or longer <= max_side:
        return width, height
    return max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer))


def scaled_instance(instance: Instance, x_factor: float, y_factor: float) -> Instance:
    """An object with box, area, labelled points and polygons scaled, so that its shares of the picture stay."""
    if x_factor == y_factor == 1.0:
        return instance
    box = instance.box_xywh_px
    if box is not None:
        box = (box[0] * x_factor, box[1] * y_factor, box[2] * x_factor, box[3] * y_factor)
    return replace(
        instance,
        box_xywh_px=box,
        area_px=instance.area_px * x_factor * y_factor,
        keypoints_xyv=tuple(
            (x * x_factor, y * y_factor, v) if v > 0 else (x, y, v) for x, y, v in instance.keypoints_xyv
        ),
        segmentation=tuple(
            tuple(value * (y_factor if i % 2 else x_factor) for i, value in enumerate(flat))
            for flat in instance.segmentation
        ),
    )
