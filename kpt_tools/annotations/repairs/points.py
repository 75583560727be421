"""Repairs of keypoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kpt_tools.annotations.checks.poses import check_poses
from kpt_tools.annotations.json_values import as_int, as_number, shown
from kpt_tools.annotations.repairs.draft import Draft, ReadObject

_Bad = Callable[[list[Any], ReadObject], bool]


def remove_bad_lists(draft: Draft) -> None:
    """Keypoints that are no list."""
    for found in draft.objects:
        value = found.row.get("keypoints")
        if value is not None and not isinstance(value, list):
            del found.row["keypoints"]
            draft.tell_object("keypoints-invalid", found, f"keypoints {shown(value)} -> absent")


def pad_points(draft: Draft) -> None:
    """Too few values are filled up with 0, 0, 0; a point of one or two values is none."""
    for found in draft.objects:
        values, wanted = _values(found), 3 * len(found.category.keypoints)
        if values and len(values) < wanted:
            whole = len(values) - len(values) % 3
            told = f"{len(values)} keypoint values -> {wanted}, the last as not labelled"
            _set_points(draft, "keypoints-short", found, [*values[:whole], *([0] * (wanted - whole))], told)


def cut_points(draft: Draft) -> None:
    """Values beyond the keypoints of the class are cut off."""
    for found in draft.objects:
        values, wanted = _values(found), 3 * len(found.category.keypoints)
        if len(values) > wanted:
            told = f"{len(values)} keypoint values -> {wanted}; cut off: {shown(values[wanted:])}"
            _set_points(draft, "keypoints-long", found, values[:wanted], told)


def clear_visibilities(draft: Draft) -> None:
    """Points with a visibility other than 0, 1, 2 become 0, 0, 0."""
    _clear(draft, "keypoint-visibility-invalid", lambda point, found: as_int(point[2]) not in (0, 1, 2))


def clear_numbers(draft: Draft) -> None:
    """Labelled points whose coordinates are no numbers become 0, 0, 0."""
    _clear(
        draft,
        "keypoint-invalid",
        lambda point, found: as_int(point[2]) in (1, 2) and None in (as_number(point[0]), as_number(point[1])),
    )


def clear_outside(draft: Draft) -> None:
    """Labelled points outside their image become 0, 0, 0."""
    _clear(draft, "keypoint-outside", _is_outside)


def clear_unlabelled(draft: Draft) -> None:
    """Points that are not labelled lose their position."""
    _clear(draft, "keypoint-unlabelled-position", lambda point, found: as_int(point[2]) == 0 and point[:2] != [0, 0])


def count_points(draft: Draft) -> None:
    """`num_keypoints` becomes the number of points with v > 0."""
    for found in draft.objects:
        given = found.row.get("num_keypoints")
        if _values(found) and given is not None and as_int(given) != found.instance.num_labelled:
            draft.set("num-keypoints-differs", found, "num_keypoints", found.instance.num_labelled)


def add_counts(draft: Draft) -> None:
    """`num_keypoints` is written where it is absent."""
    for found in draft.objects:
        if found.row.get("keypoints") and found.row.get("num_keypoints") is None:
            draft.set("num-keypoints-absent", found, "num_keypoints", found.instance.num_labelled)


def exchange_sides(draft: Draft) -> None:
    """Objects whose left and right are probably exchanged get them back."""
    swapped = {
        score.annotation_id: score.swapped for score in check_poses(draft.dataset, draft.facts.flip_pairs).scores
    }
    for found in draft.objects:
        values = _values(found)
        for a, b in swapped.get(found.instance.id, ()):
            values[3 * a : 3 * a + 3], values[3 * b : 3 * b + 3] = values[3 * b : 3 * b + 3], values[3 * a : 3 * a + 3]
            names = found.category.keypoints
            found.row["keypoints"] = values
            draft.tell_object("sides-swapped", found, f"{names[a]} and {names[b]} exchanged")


def _clear(draft: Draft, code: str, bad: _Bad) -> None:
    for found in draft.objects:
        values = _values(found)
        slots = range(min(len(values) // 3, len(found.category.keypoints)))
        wrong = [slot for slot in slots if bad(values[3 * slot : 3 * slot + 3], found)]
        told = []
        for slot in wrong:
            told.append(f"{found.category.keypoints[slot]} {shown(values[3 * slot : 3 * slot + 3])}")
            values[3 * slot : 3 * slot + 3] = [0, 0, 0]
        if wrong:
            _set_points(draft, code, found, values, f"{', '.join(told)} -> not labelled")


def _is_outside(point: list[Any], found: ReadObject) -> bool:
    x, y = as_number(point[0]), as_number(point[1])
    if as_int(point[2]) not in (1, 2) or x is None or y is None or not found.image.width:
        return False
    return not (0 <= x <= found.image.width and 0 <= y <= found.image.height)


def _values(found: ReadObject) -> list[Any]:
    """A copy of the keypoints of the row; [] if there are none."""
    value = found.row.get("keypoints")
    return list(value) if isinstance(value, list) else []


def _set_points(draft: Draft, code: str, found: ReadObject, values: list[Any], told: str) -> None:
    """Other keypoints; `num_keypoints` follows if it was right before."""
    given = as_int(found.row.get("num_keypoints"))
    found.row["keypoints"] = values
    if given is not None and given == found.instance.num_labelled:
        slots = values[2 : 3 * len(found.category.keypoints) : 3]
        found.row["num_keypoints"] = sum(as_int(v) in (1, 2) for v in slots)
    draft.tell_object(code, found, told)
