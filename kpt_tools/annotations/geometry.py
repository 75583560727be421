"""Boxes and points against the borders of their image; one documented rule for each case.

Pixel coordinates run from 0 to the width (height) of the image, both borders included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kpt_tools.annotations.codes import finding
from kpt_tools.entities import BoxXywhPx, Category, Finding, Instance, KeypointXyv

MIN_SIDE_PX = 1.0
_ROUNDING_PX = 1.0
_NOISE_PX = 1e-6
_UNLABELLED: KeypointXyv = (0.0, 0.0, 0)
_Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class BoxPolicy:
    """What to do about objects without a usable box.

    Attributes:
        from_keypoints: make the box from the labelled keypoints; otherwise the object is left out.
        padding: share of the longer side of the keypoints' extent that is added on each side.
    """

    from_keypoints: bool = False
    padding: float = 0.15


def clip_box(box_xywh_px: BoxXywhPx, width: float, height: float) -> BoxXywhPx:
    """The part of a box inside the image; its width or height is 0 (or less) if there is none."""
    x, y, w, h = box_xywh_px
    left, top = max(x, 0.0), max(y, 0.0)
    return left, top, min(x + w, float(width)) - left, min(y + h, float(height)) - top


def extent(xs: Sequence[float], ys: Sequence[float]) -> BoxXywhPx | None:
    """The smallest box around points, None if there are none."""
    return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) if xs and ys else None


def box_of_keypoints(
    keypoints_xyv: Sequence[KeypointXyv], width: float, height: float, padding: float
) -> BoxXywhPx | None:
    """The extent of the labelled points, padded by a share of its longer side and clipped; None if it has no area."""
    labelled = [(x, y) for x, y, v in keypoints_xyv if v > 0]
    found = extent([x for x, _ in labelled], [y for _, y in labelled])
    if found is None:
        return None
    x, y, w, h = found
    pad = padding * max(w, h)
    clipped = clip_box((x - pad, y - pad, w + 2 * pad, h + 2 * pad), width, height)
    return clipped if min(clipped[2:]) >= MIN_SIDE_PX else None


def fit_instance(
    instance: Instance, category: Category, width: int, height: int, policy: BoxPolicy, image: str = ""
) -> tuple[Instance | None, list[Finding]]:
    """Make an object fit for training: box inside the image, only points inside, as many as the class has.

    Args:
        instance: the object, in the coordinates of an image of this size.
        category: its class.
        width: of the image in pixels.
        height: of the image in pixels.
        policy: for objects without a usable box.
        image: file name, for messages.

    Returns:
        The object, or None if it has to be left out; and what was found.
    """
    if _fits(instance, category, width, height):
        return instance, []
    findings: list[Finding] = []

    def tell(code: str, message: str) -> None:
        text = f"{image}: annotation {instance.id} ('{category.name}'): {message}"
        findings.append(finding(code, text, image=image, annotation_id=instance.id))

    points = _fit_points(instance, category, width, height, tell)
    box = _fit_box(instance.box_xywh_px, points, width, height, policy, tell)
    if box is None:
        return None, findings
    full = box[2] * box[3]
    area = min(instance.area_px, full)
    if area <= 0:
        area = full
        if not any(found.code == "box-from-keypoints" for found in findings):
            tell("area-missing", f"no area; {full:g}, that of its box, is taken.")
    if instance.iscrowd:
        tell("crowd", "a crowd; kept with weight 0, so nothing is learned from it.")
    return replace(instance, box_xywh_px=box, area_px=area, keypoints_xyv=points), findings


def _fits(instance: Instance, category: Category, width: int, height: int) -> bool:
    """Whether there is nothing to change or to tell; most objects are so."""
    if instance.box_xywh_px is None or instance.iscrowd or len(instance.keypoints_xyv) != len(category.keypoints):
        return False
    x, y, w, h = instance.box_xywh_px
    if x < 0 or y < 0 or w < MIN_SIDE_PX or h < MIN_SIDE_PX or x + w > width or y + h > height:
        return False
    if not 0 < instance.area_px <= w * h:
        return False
    return all(
        (0 <= px <= width and 0 <= py <= height) if v else (px == 0 and py == 0) for px, py, v in instance.keypoints_xyv
    )


def _fit_points(
    instance: Instance, category: Category, width: int, height: int, tell: _Tell
) -> tuple[KeypointXyv, ...]:
    points = []
    given = instance.keypoints_xyv or (_UNLABELLED,) * len(category.keypoints)
    for name, (x, y, v) in zip(category.keypoints, given, strict=True):
        if v == 0 and (x, y) != (0.0, 0.0):
            tell("keypoint-unlabelled-position", f"point '{name}' has v = 0 at ({x:g}, {y:g}); taken as 0, 0, 0.")
        elif v > 0 and not (0 <= x <= width and 0 <= y <= height):
            message = f"point '{name}' at ({x:g}, {y:g}) is outside the {width}x{height} image; taken as not labelled."
            tell("keypoint-outside", message)
            v = 0
        points.append((x, y, v) if v > 0 else _UNLABELLED)
    return tuple(points)


def _fit_box(
    box: BoxXywhPx | None,
    points: Sequence[KeypointXyv],
    width: int,
    height: int,
    policy: BoxPolicy,
    tell: _Tell,
) -> BoxXywhPx | None:
    """The box clipped, or made from points; None (told) if there is neither."""
    clipped = None if box is None else clip_box(box, width, height)
    if box is not None and clipped is not None and min(clipped[2:]) >= MIN_SIDE_PX:
        return _tell_clipping(box, clipped, width, height, tell)
    made = box_of_keypoints(points, width, height, policy.padding)
    code, problem = _box_problem(box, clipped, width, height)
    if made is not None and policy.from_keypoints:
        shown = ", ".join(f"{value:g}" for value in made)
        tell("box-from-keypoints", f"{problem}; made from its {_labelled(points)} labelled points: {shown}.")
        return made
    if made is not None:
        tell(code, f"{problem}; left out. Draw a box, or use --boxes-from-keypoints.")
    else:
        tell(code, f"{problem}, and its {_labelled(points)} labelled points make none; left out. Draw a box.")
    return None


def _tell_clipping(box: BoxXywhPx, clipped: BoxXywhPx, width: int, height: int, tell: _Tell) -> BoxXywhPx:
    x, y, w, h = box
    over = max(-x, -y, x + w - width, y + h - height)
    if over <= _NOISE_PX:
        return clipped if over > 0 else box
    text = f"box {x:g}, {y:g}, {w:g}, {h:g} reaches {over:.3g} px out of the {width}x{height} image; cut."
    tell("box-clipped" if over > _ROUNDING_PX else "box-rounding", text)
    return clipped


def _box_problem(box: BoxXywhPx | None, clipped: BoxXywhPx | None, width: int, height: int) -> tuple[str, str]:
    if box is None or clipped is None:
        return "box-missing", "no box"
    shown = ", ".join(f"{value:g}" for value in box)
    if min(clipped[2:]) <= 0:
        return "box-outside", f"box {shown} is wholly outside the {width}x{height} image"
    return "box-too-small", f"box {shown} has a side of {min(clipped[2:]):.2g} px inside the {width}x{height} image"


def _labelled(points: Sequence[KeypointXyv]) -> int:
    return sum(v > 0 for _, _, v in points)


def pairs_apart(instances: Sequence[Instance]) -> list[tuple[Instance, Instance]]:
    """Pairs of one class where the first has only a box and the second only keypoints, inside that box."""
    boxes = [i for i in instances if i.box_xywh_px is not None and i.num_labelled == 0]
    pairs = []
    for lonely in instances:
        if lonely.box_xywh_px is not None or lonely.num_labelled == 0:
            continue
        for other in boxes:
            if other.category_id == lonely.category_id and other.box_xywh_px and _inside(lonely, other.box_xywh_px):
                pairs.append((other, lonely))
                boxes.remove(other)
                break
    return pairs


def find_apart(instances: Sequence[Instance], image: str = "") -> list[Finding]:
    """The findings about `pairs_apart`."""
    return [
        finding(
            "box-keypoints-apart",
            f"{image}: annotation {box.id} has only a box and annotation {points.id} only keypoints inside it; "
            "probably one object. Put both into one annotation.",
            image=image,
            annotation_id=points.id,
        )
        for box, points in pairs_apart(instances)
    ]


def _inside(instance: Instance, box: BoxXywhPx) -> bool:
    """Whether at least three quarters of the labelled points lie in the box."""
    x, y, w, h = box
    inside = [x <= px <= x + w and y <= py <= y + h for px, py, v in instance.keypoints_xyv if v > 0]
    return sum(inside) >= 0.75 * len(inside)
