"""Whether what was handed to coco-annotator's importer is in the data set afterwards.

The importer looks for a class by its name in the whole database, also among those of other people's data sets, and
takes the first: objects can land on a class that the data set does not show. Only its export tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kpt_tools.annotations.json_values import as_int, as_numbers

Row = dict[str, Any]
Coco = Mapping[str, list[Row]]
_Key = tuple[str, str, tuple[tuple[float, ...], ...], tuple[float, ...]]


def not_kept(sent: Coco, export: Coco) -> list[Row]:
    """Objects of `sent` that `export` does not have: same file name, class, polygons and points.

    Args:
        sent: what was uploaded; its ids need not be those of the server.
        export: the data set's export after the import.
    """
    names, classes = _names(sent)
    there = _keys(export)
    return [row for row in sent["annotations"] if _key(row, names, classes) not in there]


def _keys(coco: Coco) -> set[_Key | None]:
    """What an object is known by, for all objects whose image and class are listed."""
    names, classes = _names(coco)
    return {_key(row, names, classes) for row in coco["annotations"] if isinstance(row, dict)} - {None}


def _names(coco: Coco) -> tuple[dict[int | None, str], dict[int | None, str]]:
    images, classes = ([row for row in coco[key] if isinstance(row, dict)] for key in ("images", "categories"))
    names = {as_int(row.get("id")): str(row.get("file_name")) for row in images}
    return names, {as_int(row.get("id")): str(row.get("name")).lower() for row in classes}


def _key(row: Row, names: Mapping[int | None, str], classes: Mapping[int | None, str]) -> _Key | None:
    """None if the object's image or class is not listed."""
    name, class_name = names.get(as_int(row.get("image_id"))), classes.get(as_int(row.get("category_id")))
    if name is None or class_name is None:
        return None
    polygons = tuple(tuple(as_numbers(polygon) or ()) for polygon in row.get("segmentation") or ())
    return name, class_name, polygons, tuple(as_numbers(row.get("keypoints")) or ())
