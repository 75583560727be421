"""The regions of one Label Studio annotation: rectangles, polygons, keypoints, and the links between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.formats.base import MAX_PX, box_around
from kpt_tools.annotations.formats.drafts import Picture, Point, Shape
from kpt_tools.annotations.json_values import as_int, as_number, as_text, shown
from kpt_tools.entities import BoxXywhPx, Report

OCCLUDED = "occluded"
_LABEL_KEYS = ("rectanglelabels", "keypointlabels", "polygonlabels", "labels")
_WITHOUT_PLACE = frozenset({"choices", "textarea", "number", "rating", "taxonomy", "ranker", "pairwise", "datetime"})


class Regions:
    """Reads regions and collects what it has to tell."""

    def __init__(self, source: str, report: Report) -> None:
        self.source, self.report = source, report
        self.others: Counter[str] = Counter()

    def of(self, results: Sequence[Any], image: str) -> Picture:
        """The shapes and points of one image; a region that cannot be used is left out (told)."""
        rows = [row for row in results if isinstance(row, dict)]
        links = _links(rows)
        shapes: list[Shape] = []
        points: list[Point] = []
        sizes: list[tuple[int, int]] = []
        for row in rows:
            kind = str(row.get("type"))
            if kind == "relation" or kind in _WITHOUT_PLACE:
                self.others[kind] += kind != "relation"
                continue
            found = self._region(row, links, image)
            if found is not None:
                sizes.append((int(row["original_width"]), int(row["original_height"])))
            if isinstance(found, Shape):
                shapes.append(found)
            elif found is not None:
                points.append(found)
        return Picture(image, *(sizes[0] if sizes else (0, 0)), tuple(shapes), tuple(points))

    def tell_others(self) -> None:
        """Tell how many answers without a place in the image were left away."""
        for kind, count in (+self.others).items():
            message = f"{self.source}: {count} answers of the type '{kind}' are left away."
            self.report.extend([finding("attribute-lost", message)])

    def _region(self, row: Mapping[str, Any], links: Mapping[str, str], image: str) -> Shape | Point | None:
        width, height = as_int(row.get("original_width")), as_int(row.get("original_height"))
        value = row.get("value")
        problem = None
        if not isinstance(value, dict) or not (width and height and 0 < width < MAX_PX and 0 < height < MAX_PX):
            problem = "no value, or no original_width and original_height"
        elif row.get("image_rotation"):
            problem = f"the image was turned by {row['image_rotation']} degrees in Label Studio"
        elif not _label(value):
            problem = "no label"
        if problem or not isinstance(value, dict) or not width or not height:
            self._refuse("label-invalid", row, image, problem or "")
            return None
        key = str(row.get("id", ""))
        if "points" in value:
            return self._polygon(row, value, key, width, height, image)
        x, y = _pixels(value, ("x", "y"), (width, height))
        if "width" in value and "height" in value:
            w, h = _pixels(value, ("width", "height"), (width, height))
            return self._box(row, value, key, (x, y, w, h), image)
        if x is None or y is None:
            self._refuse("label-invalid", row, image, "no numbers as x and y")
            return None
        owner = str(row.get("parentID") or links.get(key, ""))
        return Point(owner, _label(value), (x, y, 1 if _occluded(row) else 2))

    def _box(
        self, row: Mapping[str, Any], value: Mapping[str, Any], key: str, box: tuple[float | None, ...], image: str
    ) -> Shape | None:
        x, y, w, h = box
        if x is None or y is None or w is None or h is None or w <= 0 or h <= 0:
            self._refuse("label-invalid", row, image, "no numbers that make a box")
            return None
        rotation = as_number(value.get("rotation")) or 0.0
        if rotation % 360:
            message = (
                f"{self.source}: '{image}': box {key} is turned by {rotation:g} degrees; the upright box around it."
            )
            self.report.extend([finding("box-rotated", message, image=image)])
            return Shape(key, _label(value), _around_rotated((x, y, w, h), rotation))
        return Shape(key, _label(value), (x, y, w, h))

    def _polygon(
        self, row: Mapping[str, Any], value: Mapping[str, Any], key: str, width: int, height: int, image: str
    ) -> Shape | None:
        corners = value["points"] if isinstance(value["points"], list) else []
        pairs = [(as_number(p[0]), as_number(p[1])) for p in corners if isinstance(p, list) and len(p) == 2]
        flat = [(x * width / 100, y * height / 100) for x, y in pairs if x is not None and y is not None]
        if len(flat) < 3 or len(flat) != len(corners):
            self._refuse("label-invalid", row, image, "no three corners in numbers")
            return None
        box = box_around((x for x, _ in flat), (y for _, y in flat))
        return Shape(key, _label(value), box, (tuple(number for corner in flat for number in corner),))

    def _refuse(self, code: str, row: Mapping[str, Any], image: str, why: str) -> None:
        message = f"{self.source}: '{image}': region {shown(row.get('id'))} ({row.get('type')}): {why}; left out."
        if "brush" in str(row.get("type")) or "ellipse" in str(row.get("type")):
            code = "shape-unsupported"
        self.report.extend([finding(code, message, image=image)])


def _links(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Region id to the id at the other end of its relation, both ways."""
    pairs = [(str(r.get("from_id")), str(r.get("to_id"))) for r in rows if r.get("type") == "relation"]
    return {**{b: a for a, b in pairs}, **dict(pairs)}


def _label(value: Mapping[str, Any]) -> str:
    for key in _LABEL_KEYS:
        labels = value.get(key)
        if isinstance(labels, list) and labels:
            return as_text(labels[0])
    return ""


def _pixels(
    value: Mapping[str, Any], keys: tuple[str, str], size_wh: tuple[int, int]
) -> tuple[float | None, float | None]:
    shares = [as_number(value.get(key)) for key in keys]
    found = [None if share is None else share * size / 100 for share, size in zip(shares, size_wh, strict=True)]
    return found[0], found[1]


def _occluded(row: Mapping[str, Any]) -> bool:
    meta = row.get("meta")
    texts = meta.get("text") if isinstance(meta, dict) else None
    return OCCLUDED in (texts if isinstance(texts, list) else [texts])


def _around_rotated(box: BoxXywhPx, degrees: float) -> BoxXywhPx | None:
    """The upright box around one turned clockwise about its upper left corner, as Label Studio turns it."""
    x, y, w, h = box
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in ((0, 0), (w, 0), (w, h), (0, h))]
    return box_around((cx for cx, _ in corners), (cy for _, cy in corners))
