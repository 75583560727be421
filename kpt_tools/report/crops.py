"""Small pictures of single objects, and of whole images, ready for a page."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kpt_tools.entities import BoxXywhPx, Instance, KeypointXyv, ModelMetadata
from kpt_tools.report.draw import Font, Rgb, draw_errors, draw_instances, font_of, point_colour

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_MARGIN = 0.2
_LEAST_SIDE_PX = 48.0
_REACH = 0.5
_GROUND = (128, 132, 140)
_WEIGHT = 1.7
_JPEG_QUALITY = 82
_POINT_PX = 5.0
_Rectangle = tuple[float, float, float, float]


def object_picture(image: Image.Image, instance: Instance, metadata: ModelMetadata, side_px: int) -> Image.Image:
    """An object with its box and points, cut out of its image with a margin; what lies outside the image is grey.

    Args:
        image: the upright picture.
        instance: with an id of the label map as `category_id`, in pixels of `image`.
        metadata: classes, slots and skeleton.
        side_px: larger side of the result.
    """
    return drawn_crop(crop_around(image, [instance], side_px), [instance], metadata)


def whole_picture(
    image: Image.Image, instances: Sequence[Instance], metadata: ModelMetadata, side_px: int
) -> Image.Image:
    """The whole image with all its objects, its larger side `side_px`."""
    scale = side_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.convert("RGB").resize(size, reducing_gap=3.0)
    return draw_instances(small, [moved(instance, 0.0, 0.0, scale) for instance in instances], metadata, _WEIGHT)


@dataclass(frozen=True)
class Crop:
    """A part of an image: `left` and `top` in pixels of the image, `scale` from there to the picture."""

    picture: Image.Image
    left: float
    top: float
    scale: float


def crop_around(image: Image.Image, instances: Sequence[Instance], side_px: int, *, square: bool = False) -> Crop:
    """The part of an image that holds the boxes and labelled points of some objects, with a margin.

    Args:
        image: the upright picture.
        instances: at least one, in its pixels.
        side_px: larger side of the result.
        square: whether the result is to be as wide as high.
    """
    left, top, right, bottom = _region(_enclosing(instances), image.size)
    if square:
        half = max(right - left, bottom - top) / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        left, top, right, bottom = x - half, y - half, x + half, y + half
    scale = side_px / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    return Crop(_cut(image, (left, top, right, bottom), size), left, top, scale)


def drawn_crop(crop: Crop, instances: Sequence[Instance], metadata: ModelMetadata) -> Image.Image:
    """A crop with some objects, given in pixels of the image, drawn on it."""
    placed = [moved(instance, crop.left, crop.top, crop.scale) for instance in instances]
    return draw_instances(crop.picture, placed, metadata, _WEIGHT)


def crop_with_errors(crop: Crop, found: Instance, truth: Instance, metadata: ModelMetadata) -> Image.Image:
    """A crop with a prediction drawn on it, and lines from its points to where they were annotated."""
    placed = moved(truth, crop.left, crop.top, crop.scale)
    return draw_errors(
        drawn_crop(crop, [found], metadata), moved(found, crop.left, crop.top, crop.scale), placed, metadata
    )


def _enclosing(instances: Sequence[Instance]) -> Instance:
    """One object whose box and points are those of all."""
    boxes = [instance.box_xywh_px for instance in instances if instance.box_xywh_px is not None]
    points = tuple(point for instance in instances for point in instance.keypoints_xyv)
    if not boxes:
        return replace(instances[0], keypoints_xyv=points)
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return replace(instances[0], box_xywh_px=(left, top, right - left, bottom - top), keypoints_xyv=points)


def mirrored(image: Image.Image, instance: Instance, pairs: Sequence[tuple[int, int]]) -> tuple[Image.Image, Instance]:
    """The left-right mirror image as training sees it: pixels and points mirrored, the points of pairs exchanged.

    Args:
        image: the picture.
        instance: in its pixels.
        pairs: keypoint indices of its class that exchange.
    """
    from PIL import ImageOps

    points = [(image.width - x, y, v) if v > 0 else (x, y, v) for x, y, v in instance.keypoints_xyv]
    for a, b in pairs:
        points[a], points[b] = points[b], points[a]
    box = instance.box_xywh_px
    flipped = None if box is None else (image.width - box[0] - box[2], box[1], box[2], box[3])
    return ImageOps.mirror(image), replace(instance, box_xywh_px=flipped, keypoints_xyv=tuple(points))


def named_picture(
    image: Image.Image, instance: Instance, metadata: ModelMetadata, names: Mapping[int, str], side_px: int
) -> Image.Image:
    """As `object_picture`, with the names of some of the labelled points, by their index, beside them."""
    from PIL import ImageDraw

    instance = replace(instance, box_xywh_px=None)
    left, top, right, bottom = _region(instance, image.size)
    scale = side_px / max(right - left, bottom - top)
    picture = object_picture(image, instance, metadata, side_px)
    draw, font = ImageDraw.Draw(picture), font_of(max(11, side_px // 26))
    slots = next(item for item in metadata.label_map.items if item.id == instance.category_id).keypoints
    places = [((x - left) * scale, (y - top) * scale) for x, y, _ in instance.keypoints_xyv]
    labelled = [v > 0 for _, _, v in instance.keypoints_xyv]
    taken = [(x - _POINT_PX, y - _POINT_PX, x + _POINT_PX, y + _POINT_PX)
             for (x, y), shown in zip(places, labelled, strict=True) if shown]  # fmt: skip
    for index, (slot, at, shown) in enumerate(zip(slots, places, labelled, strict=False)):
        if shown and index in names:
            taken.append(_write_name(draw, names[index], at, picture.size, font, point_colour(slot.id), taken))
    return picture


def jpeg(picture: Image.Image) -> bytes:
    """The picture as JPEG bytes."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def moved(instance: Instance, left: float, top: float, scale: float) -> Instance:
    """The object in a picture cut at `left`, `top` and scaled; without its polygons."""

    def point(value: KeypointXyv) -> KeypointXyv:
        return ((value[0] - left) * scale, (value[1] - top) * scale, value[2])

    box: BoxXywhPx | None = None
    if instance.box_xywh_px is not None:
        x, y, width, height = instance.box_xywh_px
        box = ((x - left) * scale, (y - top) * scale, width * scale, height * scale)
    points = tuple(map(point, instance.keypoints_xyv))
    return replace(instance, box_xywh_px=box, keypoints_xyv=points, segmentation=())


def _region(instance: Instance, size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom around box and points; no further outside the image than half its size."""
    xs = [x for x, _, v in instance.keypoints_xyv if v > 0]
    ys = [y for _, y, v in instance.keypoints_xyv if v > 0]
    if instance.box_xywh_px is not None:
        x, y, width, height = instance.box_xywh_px
        xs, ys = [*xs, x, x + width], [*ys, y, y + height]
    ends = []
    for values, side in ((xs, size_wh[0]), (ys, size_wh[1])):
        kept = [min(max(value, -_REACH * side), (1 + _REACH) * side) for value in values] or [0.0, float(side)]
        ends.append((min(kept), max(kept)))
    margin = _MARGIN * max(high - low for low, high in ends)
    spans = []
    for low, high in ends:
        middle, half = (low + high) / 2, max((high - low) / 2 + margin, _LEAST_SIDE_PX / 2)
        spans.append((middle - half, middle + half))
    return spans[0][0], spans[1][0], spans[0][1], spans[1][1]


def _cut(image: Image.Image, region: tuple[float, float, float, float], size: tuple[int, int]) -> Image.Image:
    """The region of the image at a new size, on grey where it lies outside."""
    from PIL import Image

    left, top, right, bottom = region
    scale = size[0] / (right - left)
    inside = (max(left, 0.0), max(top, 0.0), min(right, float(image.width)), min(bottom, float(image.height)))
    ground = Image.new("RGB", size, _GROUND)
    width, height = round((inside[2] - inside[0]) * scale), round((inside[3] - inside[1]) * scale)
    if width > 0 and height > 0:
        part = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC, box=inside, reducing_gap=3.0)
        ground.paste(part, (round((inside[0] - left) * scale), round((inside[1] - top) * scale)))
    return ground


def _write_name(
    draw: ImageDraw.ImageDraw,
    name: str,
    at: tuple[float, float],
    size: tuple[int, int],
    font: Font,
    colour: Rgb,
    taken: Iterable[_Rectangle],
) -> _Rectangle:
    """The name on a dark plate beside its point: inside the picture, clear of points and plates where it can be.

    Returns:
        Left, top, right, bottom of the plate.
    """
    left, top, right, bottom = draw.textbbox((0, 0), name, font=font)
    width, height = right - left, bottom - top
    plates = []
    for rise in (0, -1, 1, -2, 2):
        for x in (at[0] + 9, at[0] - 9 - width):
            x = min(max(x, 3), size[0] - width - 3)
            y = min(max(at[1] - height / 2 + rise * (height + 5), 2), size[1] - height - 2)
            plates.append((x - 3, y - 2, x + width + 3, y + height + 3))
    plate = min(plates, key=lambda each: sum(_overlap(each, other) for other in taken))
    draw.rounded_rectangle(plate, radius=4, fill=(16, 18, 24))
    draw.text((plate[0] + 3 - left, plate[1] + 2 - top), name, font=font, fill=colour)
    return plate


def _overlap(a: _Rectangle, b: _Rectangle) -> float:
    """The area that two rectangles share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
