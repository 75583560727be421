"""The `categories` of a COCO file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from kpt_tools.annotations.codes import finding
from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.entities import Category, Report


@dataclass(frozen=True)
class Categories:
    """What was found.

    Attributes:
        categories: usable classes in file order, each name once.
        by_id: source id to class; two ids may lead to one class (see the code ``category-merged``).
    """

    categories: tuple[Category, ...]
    by_id: dict[int, Category]


def parse_categories(rows: Sequence[object], annotations: Iterable[object], source: str, report: Report) -> Categories:
    """Read the classes; `annotations` tells which of them are used, and is looked at only where that matters.

    Roboflow's super-category (no keypoints, no objects, named by another class as its supercategory) is left out.
    """
    by_id: dict[int, Category] = {}
    by_name: dict[str, Category] = {}
    used = cache(lambda: {as_int(row.get("category_id")) for row in annotations if isinstance(row, dict)})
    supers = {row.get("supercategory") for row in rows if isinstance(row, dict) and as_text(row.get("supercategory"))}
    seen: set[int] = set()
    for index, row in enumerate(rows):
        category = _parse_category(row, f"{source}: categories[{index}]", seen, report)
        if category is None:
            continue
        if category.name in supers and not category.keypoints and category.id not in used():
            message = f"{source}: category '{category.name}' (id {category.id}) is a mere super-category. Left out."
            report.extend([finding("category-super-dropped", message)])
            continue
        known = by_name.setdefault(category.name, category)
        if known is category or _merged(known, category, source, report):
            by_id[category.id] = known
    _note_case(list(by_name), source, report)
    return Categories(tuple(by_name.values()), by_id)


def _parse_category(row: object, where: str, seen: set[int], report: Report) -> Category | None:
    if not isinstance(row, dict):
        report.extend([finding("entry-not-object", f"{where}: is {shown(row)}; expected an object. Left out.")])
        return None
    category_id, name = as_int(row.get("id")), as_text(row.get("name"))
    if category_id is None:
        message = f"{where}: id is {shown(row.get('id'))}; expected a whole number. Left out."
        report.extend([finding("category-id-invalid", message)])
        return None
    if category_id in seen:
        message = f"{where}: id {category_id} is already another class's; expected an id of its own. Left out."
        report.extend([finding("category-id-duplicate", message)])
        return None
    seen.add(category_id)
    if not name:
        message = f"{where}: name is {shown(row.get('name'))}; expected a text. Left out with its objects."
        report.extend([finding("category-name-missing", message)])
        return None
    keypoints = _keypoint_names(row.get("keypoints"), f"{where} '{name}'", report)
    if keypoints is None:
        return None
    skeleton = _skeleton(row.get("skeleton"), keypoints, f"{where} '{name}'", report)
    return Category(category_id, name, keypoints, skeleton, as_text(row.get("supercategory")))


def _keypoint_names(value: object, where: str, report: Report) -> tuple[str, ...] | None:
    if value is None:
        return ()
    names = [as_text(item) for item in value] if isinstance(value, list) else [""]
    if "" in names:
        message = f"{where}: keypoints are {shown(value)}; expected a list of names. Left out with its objects."
        report.extend([finding("keypoint-name-invalid", message)])
        return None
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        message = (
            f"{where}: keypoint name '{doubled[0]}' occurs more than once, so its points cannot be told apart; "
            "expected each name once. Left out with its objects. Rename one and save the images again."
        )
        report.extend([finding("keypoint-name-duplicate", message)])
        return None
    return tuple(names)


def _skeleton(value: object, keypoints: tuple[str, ...], where: str, report: Report) -> tuple[tuple[int, int], ...]:
    edges: list[tuple[int, int]] = []
    rows: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    for row in rows:
        ends = [as_int(end) for end in row] if isinstance(row, list) else []
        numbers = [end for end in ends if end is not None and 1 <= end <= len(keypoints)]
        if len(ends) == len(numbers) == 2:
            edges.append((numbers[0] - 1, numbers[1] - 1))
            continue
        message = (
            f"{where}: skeleton edge {shown(row)}; expected two keypoint numbers from 1 to {len(keypoints)}. Left out."
        )
        report.extend([finding("skeleton-invalid", message)])
    return tuple(edges)


def _merged(known: Category, category: Category, source: str, report: Report) -> bool:
    """Whether `category` is the same class as `known`, under another id; told either way."""
    if replace(category, id=known.id, skeleton=known.skeleton, supercategory=known.supercategory) == known:
        message = (
            f"{source}: categories {known.id} and {category.id} are both '{category.name}' with the same keypoints. "
            "Taken as one."
        )
        report.extend([finding("category-merged", message)])
        return True
    message = (
        f"{source}: categories {known.id} and {category.id} are both '{category.name}', with keypoints "
        f"{shown(list(known.keypoints))} and {shown(list(category.keypoints))}; expected different names or the "
        f"same keypoints. Category {category.id} is left out with its objects. Rename one."
    )
    report.extend([finding("category-name-duplicate", message)])
    return False


def _note_case(names: Sequence[str], source: str, report: Report) -> None:
    first: dict[str, str] = {}
    for name in names:
        known = first.setdefault(name.casefold(), name)
        if known != name:
            message = (
                f"{source}: categories '{known}' and '{name}' differ only in case. Rename one if they are the same."
            )
            report.extend([finding("category-name-case", message)])
