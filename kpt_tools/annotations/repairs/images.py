"""Repairs of images."""

from __future__ import annotations

from kpt_tools.annotations.file_names import leads_outside, parts_of
from kpt_tools.annotations.json_values import as_int, as_text, shown
from kpt_tools.annotations.repairs.draft import Draft


def write_sizes(draft: Draft) -> None:
    """Width and height that the JSON lacks are taken from the file."""
    lacking = {image.id for image in draft.dataset.images if not image.width}
    for row in draft.rows("images"):
        row_id = as_int(row.get("id"))
        if row_id in lacking and row_id in draft.facts.sizes:
            before = (row.get("width"), row.get("height"))
            row["width"], row["height"] = draft.facts.sizes[row_id]
            change = f"width, height {shown(before)} -> {row['width']}, {row['height']}"
            draft.tell("image-size-missing", f"image {row_id}", change, image=as_text(row.get("file_name")))


def remove_missing(draft: Draft) -> None:
    """Images without a file, with their objects."""
    _remove_images(draft, "image-missing", draft.facts.missing, "its file is missing")


def remove_empty(draft: Draft) -> None:
    """Images without objects."""
    empty = {image.id for image in draft.dataset.images if not draft.dataset.instances_of_image[image.id]}
    _remove_images(draft, "image-without-objects", frozenset(empty), "it has no objects")


def keep_base_names(draft: Draft) -> None:
    """File names that lead out of the image folder keep their last part."""
    for row in draft.rows("images"):
        name = as_text(row.get("file_name"))
        parts = parts_of(name)
        if name and parts and leads_outside(name) and parts[-1] not in ("..", "/"):
            row["file_name"] = parts[-1]
            change = f"file_name {shown(name)} -> {shown(parts[-1])}"
            draft.tell("image-path-outside", f"image {shown(row.get('id'))}", change, image=parts[-1])


def _remove_images(draft: Draft, code: str, ids: frozenset[int], why: str) -> None:
    objects = [row for row in draft.rows("annotations") if as_int(row.get("image_id")) in ids]
    images = [row for row in draft.rows("images") if as_int(row.get("id")) in ids]
    draft.remove(code, "annotations", objects, f"{why} (of its image)")
    draft.remove(code, "images", images, why)
