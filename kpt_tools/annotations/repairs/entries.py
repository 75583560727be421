"""Repairs of whole entries: ids, orphans, doubles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from kpt_tools.annotations.checks.duplicates import duplicate_annotations
from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.annotations.repairs.draft import Draft, Row


def remove_non_objects(draft: Draft) -> None:
    """Entries that are no JSON objects."""
    for key in ("images", "categories", "annotations"):
        rows = [row for row in draft.raw[key] if not isinstance(row, dict)]
        draft.remove("entry-not-object", key, rows, "no JSON object")


def remove_images_without_id(draft: Draft) -> None:
    """Images that nothing can refer to."""
    rows = [row for row in draft.rows("images") if as_int(row.get("id")) is None]
    draft.remove("image-id-invalid", "images", rows, "its id is no whole number")


def remove_images_without_name(draft: Draft) -> None:
    """Images whose file nobody can find."""
    rows = [r for r in draft.rows("images") if as_int(r.get("id")) is not None and not as_text(r.get("file_name"))]
    draft.remove("image-file-name-missing", "images", rows, "it has no file name")


def remove_doubled_images(draft: Draft) -> None:
    """Later images with the id of an earlier one."""
    usable = [r for r in draft.rows("images") if as_text(r.get("file_name"))]
    draft.remove("image-id-duplicate", "images", _later(usable), "its id is that of an earlier image")


def remove_categories_without_id(draft: Draft) -> None:
    """Classes that nothing can refer to."""
    rows = [row for row in draft.rows("categories") if as_int(row.get("id")) is None]
    draft.remove("category-id-invalid", "categories", rows, "its id is no whole number")


def remove_doubled_categories(draft: Draft) -> None:
    """Later classes with the id of an earlier one."""
    draft.remove("category-id-duplicate", "categories", _later(draft.rows("categories")), "its id is that of another")


def number_objects(draft: Draft) -> None:
    """Objects without an id get one."""
    free = _free_ids(draft)
    for row in draft.rows("annotations"):
        if as_int(row.get("id")) is None:
            _renumber(draft, "annotation-id-invalid", row, next(free))


def renumber_doubled_objects(draft: Draft) -> None:
    """Later objects with the id of an earlier one get one of their own; entries that are equal are removed."""
    free, first = _free_ids(draft), dict[int, Row]()
    copies = []
    for row in draft.rows("annotations"):
        row_id = as_int(row.get("id"))
        known = None if row_id is None else first.setdefault(row_id, row)
        if known is None or known is row:
            continue
        if _equal(known, row):
            copies.append(row)
        else:
            _renumber(draft, "annotation-id-duplicate", row, next(free))
    draft.remove("annotation-id-duplicate", "annotations", copies, "an entry just like an earlier one")


def remove_objects_without_image(draft: Draft) -> None:
    """Objects of images that the file does not have."""
    known = {image.id for image in draft.dataset.images}
    rows = [r for r in draft.rows("annotations") if as_int(r.get("id")) is not None]
    rows = [r for r in rows if as_int(r.get("image_id")) not in known]
    draft.remove("annotation-image-unknown", "annotations", rows, "its image is not in the file")


def remove_objects_without_class(draft: Draft) -> None:
    """Objects of classes that the file does not have."""
    known, images = draft.categories.by_id, {image.id for image in draft.dataset.images}
    rows = [r for r in draft.rows("annotations") if as_int(r.get("id")) is not None]
    rows = [r for r in rows if as_int(r.get("image_id")) in images and as_int(r.get("category_id")) not in known]
    draft.remove("annotation-category-unknown", "annotations", rows, "its class is not in the file")


def remove_doubled_objects(draft: Draft) -> None:
    """Of two annotations of one object the one with fewer points, or the later."""
    row_of = {found.instance.id: found.row for found in draft.objects}
    instances = draft.dataset.instances_of_image
    rows = [
        row_of[double.id] for image in draft.dataset.images for _, double in duplicate_annotations(instances[image.id])
    ]
    draft.remove("annotation-duplicate", "annotations", rows, "another annotation covers the same object")


def _later(rows: list[Row]) -> list[Row]:
    seen: set[int] = set()
    later = []
    for row in rows:
        row_id = as_int(row.get("id"))
        if row_id is not None and row_id in seen:
            later.append(row)
        elif row_id is not None:
            seen.add(row_id)
    return later


def _free_ids(draft: Draft) -> Iterator[int]:
    used = [as_int(row.get("id")) for row in draft.rows("annotations")]
    return count(max((each for each in used if each is not None), default=0) + 1)


def _renumber(draft: Draft, code: str, row: Row, new_id: int) -> None:
    before, row["id"] = shown(row.get("id")), new_id
    draft.tell(code, f"annotation {new_id}", f"id {before} -> {new_id}", annotation_id=new_id)


def _equal(a: Row, b: Row) -> bool:
    try:
        return a == b
    except RecursionError:
        return False
