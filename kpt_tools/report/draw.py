"""Boxes, points, skeletons and names on pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from kpt_tools.entities import BoxXywhPx, Instance, ModelMetadata, Prediction
from kpt_tools.report.regions import disjoint, within

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]
Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"

# Hues that stay apart on grass, fur and tables, and for most colour-blind eyes in neighbouring places.
_POINT_COLOURS: tuple[Rgb, ...] = (
    (255, 92, 92),
    (64, 156, 255),
    (255, 209, 51),
    (64, 217, 140),
    (217, 107, 255),
    (255, 148, 41),
    (51, 224, 230),
    (255, 120, 186),
    (168, 224, 61),
    (140, 133, 255),
    (214, 168, 120),
    (115, 199, 171),
)
_CLASS_COLOURS: tuple[Rgb, ...] = (
    (0, 200, 255),
    (255, 170, 0),
    (120, 230, 90),
    (245, 100, 200),
    (170, 140, 255),
    (255, 235, 90),
    (90, 225, 200),
    (255, 130, 110),
)
_DARK: Rgb = (16, 18, 24)
_WHITE: Rgb = (255, 255, 255)
_PAD = 1.4
"""Beside a name, in widths of a line."""


@dataclass(frozen=True, slots=True)
class _Point:
    x: float
    y: float
    filled: bool


@dataclass(frozen=True, slots=True)
class _Object:
    """Something to draw; `points` by keypoint slot."""

    class_id: int
    caption: str
    box: BoxXywhPx | None
    points: dict[int, _Point]


def point_colour(slot: int) -> Rgb:
    """The colour of a keypoint slot, the same in every picture."""
    return _POINT_COLOURS[slot % len(_POINT_COLOURS)]


def class_colour(class_id: int) -> Rgb:
    """The colour of a class (1..C)."""
    return _CLASS_COLOURS[(class_id - 1) % len(_CLASS_COLOURS)]


def draw_prediction(
    image: Image.Image,
    prediction: Prediction,
    metadata: ModelMetadata,
    min_keypoint_score: float = 0.1,
    *,
    in_place: bool = False,
) -> Image.Image:
    """Draw detections: boxes with class, number and score, points coloured per keypoint, skeleton edges.

    Args:
        image: the picture that the coordinates belong to; it is left as it is, unless `in_place`.
        prediction: what to draw; the best detections are drawn last, on top.
        metadata: classes, keypoint slots and skeleton.
        min_keypoint_score: points below, and edges to them, are not drawn.
        in_place: draw on `image` itself, which is RGB.

    Returns:
        An RGB picture of the same size, a new one unless `in_place`.
    """
    slots = _slots_of(metadata)
    objects = []
    for found in reversed(prediction.detections):
        points = {
            slot: _Point(x, y, filled=True)
            for slot, (x, y, score) in zip(slots[found.class_id], found.keypoints_xys, strict=True)
            if score >= min_keypoint_score
        }
        number = "" if found.track_id is None else f" #{found.track_id}"
        caption = f"{found.class_name}{number} {found.score:.2f}"
        objects.append(_Object(found.class_id, caption, found.box_xywh_px, points))
    return _draw(image if in_place else _rgb_copy(image), objects, metadata.skeleton)


def resized(prediction: Prediction, size_wh: tuple[int, int]) -> Prediction:
    """The same prediction for a copy of its picture of another size, for drawing on thumbnails."""
    width, height = size_wh
    across, down = width / prediction.width, height / prediction.height
    detections = tuple(
        replace(
            found,
            box_xywh_px=(x * across, y * down, w * across, h * down),
            keypoints_xys=tuple((px * across, py * down, score) for px, py, score in found.keypoints_xys),
        )
        for found in prediction.detections
        for x, y, w, h in (found.box_xywh_px,)
    )
    return Prediction(prediction.image, width, height, detections)


def draw_instances(
    image: Image.Image, instances: Iterable[Instance], metadata: ModelMetadata, weight: float = 1.0
) -> Image.Image:
    """Draw annotated objects; hidden points (v = 1) are rings, points that are not labelled are left out.

    Args:
        image: the picture that the coordinates belong to; it is left as it is.
        instances: with ids of the label map as `category_id`.
        metadata: classes, keypoint slots and skeleton.
        weight: of lines, points and letters; more than 1 for pictures that will be shown small.

    Returns:
        A new RGB picture of the same size.
    """
    slots = _slots_of(metadata)
    names = {item.id: item.name for item in metadata.label_map.items}
    objects = []
    for truth in instances:
        points = {
            slot: _Point(x, y, filled=v > 1)
            for slot, (x, y, v) in zip(slots[truth.category_id], truth.keypoints_xyv, strict=False)
            if v > 0
        }
        objects.append(_Object(truth.category_id, names[truth.category_id], truth.box_xywh_px, points))
    return _draw(_rgb_copy(image), objects, metadata.skeleton, weight)


def draw_errors(
    image: Image.Image, found: Instance, truth: Instance, metadata: ModelMetadata, weight: float = 1.0
) -> Image.Image:
    """Draw a light line from each predicted point to a cross, in the point's colour, where it was annotated.

    Args:
        image: the picture that the coordinates belong to; it is left as it is.
        found: the predicted points.
        truth: the annotated ones, of the same class; those that are not labelled get no line.
        metadata: classes and keypoint slots.
        weight: of lines and crosses.

    Returns:
        A new RGB picture of the same size.
    """
    from PIL import Image

    fine = 4
    layer = Image.new("RGBA", (image.width * fine, image.height * fine), (0, 0, 0, 0))
    pen = _Pen(layer, fine, max(image.size), weight)
    for slot, start, end in zip(
        _slots_of(metadata)[truth.category_id], found.keypoints_xyv, truth.keypoints_xyv, strict=False
    ):
        if end[2] > 0:
            pen.error(slot, _Point(*start[:2], filled=True), _Point(*end[:2], filled=True))
    layer = layer.resize(image.size, Image.Resampling.BOX)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _slots_of(metadata: ModelMetadata) -> dict[int, list[int]]:
    return {item.id: [keypoint.id for keypoint in item.keypoints] for item in metadata.label_map.items}


def _rgb_copy(image: Image.Image) -> Image.Image:
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _draw(
    picture: Image.Image, objects: Sequence[_Object], skeleton: Sequence[tuple[int, int]], weight: float = 1.0
) -> Image.Image:
    """Draw on transparent layers of a multiple of the size, which are then scaled down: smooth lines.

    There is a layer for each part of the picture where something is to be drawn; the rest is not touched.
    """
    from PIL import Image

    fine = 4 if max(picture.size) <= 700 else 2 if max(picture.size) <= 2000 else 1
    measure = _Pen.of(picture.size, fine, weight)
    for region, members in disjoint([within(measure.extent(item), fine, picture.size) for item in objects]):
        left, top, right, bottom = region
        own = [objects[member] for member in members]
        layer = Image.new("RGBA", ((right - left) * fine, (bottom - top) * fine), (0, 0, 0, 0))
        _draw_objects(_Pen.of(picture.size, fine, weight, layer, (left * fine, top * fine)), own, skeleton)
        smooth = layer.reduce(fine)
        picture.paste(smooth, region, smooth)
    return picture


def _draw_objects(pen: _Pen, objects: Sequence[_Object], skeleton: Sequence[tuple[int, int]]) -> None:
    for item in objects:
        pen.box(item)
    for item in objects:
        pen.caption(item)
    for item in objects:
        pen.skeleton(item, skeleton)
        pen.points(item)


class _Pen:
    """Draws on a layer whose pixels are `fine` times smaller than the picture's; sizes follow the picture.

    The layer covers the picture, or a part of it that begins at `origin`, in pixels of the layer.
    """

    def __init__(
        self, layer: Image.Image, fine: int, side: int, weight: float, origin: tuple[int, int] = (0, 0)
    ) -> None:
        from PIL import ImageDraw

        self.draw: ImageDraw.ImageDraw = ImageDraw.Draw(layer)
        self.size = layer.size
        self.origin = origin
        self.fine = fine
        self.line = max(1.75, side * 0.0026) * weight * fine
        self.radius = max(2.6, side * 0.0052) * weight * fine
        self.font = font_of(round(max(10.0, side * 0.019) * weight * fine))

    @classmethod
    def of(
        cls,
        picture_wh: tuple[int, int],
        fine: int,
        weight: float,
        layer: Image.Image | None = None,
        origin: tuple[int, int] = (0, 0),
    ) -> _Pen:
        """A pen for a part of a picture; without a layer it only measures."""
        from PIL import Image

        pen = cls(layer or Image.new("RGBA", (1, 1)), fine, max(picture_wh), weight, origin)
        pen.size = (picture_wh[0] * fine, picture_wh[1] * fine)
        return pen

    def extent(self, item: _Object) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of all that is drawn of an object, on a layer of the whole picture."""
        around = self.radius * 1.45 + 2
        places = [(point.x * self.fine, point.y * self.fine, around) for point in item.points.values()]
        if item.box is not None:
            x, y, width, height = (value * self.fine for value in item.box)
            edge = self.line + 2
            plate_x, plate_y, plate_right, plate_bottom = self._plate(item)
            places += [(x, y, edge), (x + max(width, 1.0), y + max(height, 1.0), edge)]
            places += [(plate_x, plate_y, 2.0), (plate_right, plate_bottom, 2.0)]
        if not places:
            return (0.0, 0.0, 0.0, 0.0)
        return (
            min(x - margin for x, _, margin in places),
            min(y - margin for _, y, margin in places),
            max(x + margin for x, _, margin in places),
            max(y + margin for _, y, margin in places),
        )

    def box(self, item: _Object) -> None:
        """The box, as a line with a thin dark seam that keeps it visible on any ground."""
        if item.box is None:
            return
        x, y, width, height = (value * self.fine for value in item.box)
        x, y = x - self.origin[0], y - self.origin[1]
        seam = self.line * 0.45
        for colour, thick in (((*_DARK, 110), self.line + 2 * seam), ((*class_colour(item.class_id), 255), self.line)):
            half = thick / 2  # Pillow draws the outline inwards; the middle of the line is to lie on the box
            corners = (x - half, y - half, x + max(width, 1.0) + half, y + max(height, 1.0) + half)
            self.draw.rectangle(corners, outline=colour, width=max(1, round(thick)))

    def skeleton(self, item: _Object, edges: Sequence[tuple[int, int]]) -> None:
        """Edges between drawn points, each half in the colour of its point."""
        drawn = [(a, b) for a, b in edges if a in item.points and b in item.points]
        for a, b in drawn:
            self._line(item.points[a], item.points[b], (*_DARK, 120), self.line * 2.1)
        for a, b in drawn:
            start, end = item.points[a], item.points[b]
            middle = _Point((start.x + end.x) / 2, (start.y + end.y) / 2, filled=True)
            self._line(start, middle, (*point_colour(a), 235), self.line * 1.2)
            self._line(middle, end, (*point_colour(b), 235), self.line * 1.2)

    def points(self, item: _Object) -> None:
        """Discs with a white rim; hidden points as rings."""
        for slot, point in item.points.items():
            colour = (*point_colour(slot), 255)
            self._disc(point, self.radius * 1.45, (*_DARK, 130))
            if point.filled:
                self._disc(point, self.radius * 1.22, (*_WHITE, 255))
                self._disc(point, self.radius * 0.92, colour)
            else:
                self._disc(point, self.radius * 1.22, colour)
                self._disc(point, self.radius * 0.62, (*_DARK, 255))

    def error(self, slot: int, start: _Point, end: _Point) -> None:
        """A line between two places of a point, and a cross at its end."""
        arm = self.radius / self.fine * 1.3
        strokes = [
            (_Point(end.x - arm, end.y - side, filled=True), _Point(end.x + arm, end.y + side, filled=True))
            for side in (arm, -arm)
        ]
        self._line(start, end, (*_DARK, 130), self.line * 1.3)
        self._line(start, end, (*_WHITE, 240), self.line * 0.65)
        for colour, width in (((*_DARK, 200), 1.5), ((*point_colour(slot), 255), 0.8)):
            for a, b in strokes:
                self._line(a, b, colour, self.line * width)

    def caption(self, item: _Object) -> None:
        """The name on a plate above the box; below it where there is no room, else inside."""
        if item.box is None:
            return
        plate_x, plate_y, plate_right, plate_bottom = self._plate(item)
        plate_x, plate_right = plate_x - self.origin[0], plate_right - self.origin[0]
        plate_y, plate_bottom = plate_y - self.origin[1], plate_bottom - self.origin[1]
        colour = class_colour(item.class_id)
        self.draw.rounded_rectangle(
            (plate_x, plate_y, plate_right, plate_bottom), radius=self.line, fill=(*colour, 225)
        )
        left, top, _, bottom = self.draw.textbbox((0, 0), item.caption, font=self.font)
        baseline = plate_y + (plate_bottom - plate_y - (bottom - top)) / 2 - top
        place = (plate_x + self.line * _PAD - left, baseline)
        self.draw.text(place, item.caption, font=self.font, fill=(*_text_on(colour), 255))

    def _plate(self, item: _Object) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the ground of an object's name, on a layer of the whole picture."""
        assert item.box is not None, "only objects with a box have a name"
        x, y, _, box_height = (value * self.fine for value in item.box)
        pad = self.line * _PAD
        left, _, right, _ = self.draw.textbbox((0, 0), item.caption, font=self.font)
        height = text_height(self.font) + 2 * pad * 0.6
        width = right - left + 2 * pad
        plate_x = min(max(x, 0.0), max(self.size[0] - width, 0.0))
        below = y + box_height + height <= self.size[1]
        plate_y = y - height if y >= height else y + box_height if below else max(y, 0.0)
        return plate_x, plate_y, plate_x + width, plate_y + height

    def _line(self, start: _Point, end: _Point, colour: tuple[int, int, int, int], width: float) -> None:
        ends = [self._place(start), self._place(end)]
        self.draw.line(ends, fill=colour, width=max(1, round(width)))

    def _place(self, point: _Point) -> tuple[float, float]:
        """A point on the layer."""
        return point.x * self.fine - self.origin[0], point.y * self.fine - self.origin[1]

    def _disc(self, point: _Point, radius: float, colour: tuple[int, int, int, int]) -> None:
        x, y = self._place(point)
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


@lru_cache(maxsize=16)
def font_of(size: int) -> Font:
    """Pillow's own scalable font."""
    from PIL import ImageFont

    return ImageFont.load_default(size=max(size, 8))


def text_height(font: Font) -> float:
    """Height of a letter with an ascender and one with a descender."""
    box = font.getbbox("Ag")
    return float(box[3] - box[1])


def _text_on(colour: Rgb) -> Rgb:
    red, green, blue = colour
    return _DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else _WHITE
