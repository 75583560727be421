"""Repairs of classes and their skeletons."""

from __future__ import annotations

from typing import Any

from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.annotations.repairs.draft import Draft


def merge_classes(draft: Draft) -> None:
    """Of classes with one name and the same keypoints the first is kept; objects of the others become its own."""
    by_id = draft.categories.by_id
    moved = {category_id: category.id for category_id, category in by_id.items() if category.id != category_id}
    for row in draft.rows("annotations"):
        target = moved.get(as_int(row.get("category_id")) or 0) if as_int(row.get("category_id")) in moved else None
        if target is not None:
            before, row["category_id"] = row["category_id"], target
            draft.tell("category-merged", f"annotation {shown(row.get('id'))}", f"category_id {before} -> {target}",
                       annotation_id=as_int(row.get("id")))  # fmt: skip
    rows = [row for row in draft.rows("categories") if as_int(row.get("id")) in moved]
    draft.remove("category-merged", "categories", rows, "another class has its name and keypoints")


def remove_super_categories(draft: Draft) -> None:
    """Classes that only name a group of classes."""
    known = draft.categories.by_id
    used = {as_int(row.get("category_id")) for row in draft.rows("annotations")}
    supers = {as_text(row.get("supercategory")) for row in draft.rows("categories")} - {""}
    rows = [
        row
        for row in draft.rows("categories")
        if as_text(row.get("name")) in supers and not row.get("keypoints")
        if as_int(row.get("id")) is not None and not {as_int(row.get("id"))} & (used | set(known))
    ]
    draft.remove("category-super-dropped", "categories", rows, "it only names a group of classes")


def remove_unused_classes(draft: Draft) -> None:
    """Classes without objects."""
    used = {instance.category_id for instance in draft.dataset.instances}
    unused = {category.id for category in draft.dataset.categories} - used
    rows = [row for row in draft.rows("categories") if as_int(row.get("id")) in unused]
    draft.remove("category-unused", "categories", rows, "it has no objects")


def correct_skeletons(draft: Draft) -> None:
    """A skeleton counted from 0 is counted from 1; other edges that lead nowhere are removed."""
    for row in draft.rows("categories"):
        names, skeleton = row.get("keypoints"), row.get("skeleton")
        if skeleton is None or (not isinstance(names, list) and names is not None):
            continue
        count = len(names or [])
        edges = skeleton if isinstance(skeleton, list) else [skeleton]
        kept = [edge for edge in edges if _is_edge(edge, 1, count)]
        if len(kept) == len(edges) and isinstance(skeleton, list):
            continue
        if edges and all(_is_edge(edge, 0, count - 1) for edge in edges):
            kept = [[end + 1 for end in map(int, edge)] for edge in edges]
        row["skeleton"] = kept
        where = f"category {shown(row.get('id'))}"
        draft.tell("skeleton-invalid", where, f"skeleton {shown(skeleton)} -> {shown(kept)}")


def _is_edge(edge: Any, low: int, high: int) -> bool:
    ends = [as_int(end) for end in edge] if isinstance(edge, list) else []
    return len(ends) == 2 and all(end is not None and low <= end <= high for end in ends)
