"""`kpt-tools split`: one COCO JSON -> train and val."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import parse_coco
from kpt_tools.annotations.json_values import as_int, as_text
from kpt_tools.annotations.split import split_images
from kpt_tools.config.split import SplitConfig
from kpt_tools.entities import Report
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json, write_json
from kpt_tools.stages.annotation_input import find_annotations


@dataclass(frozen=True)
class SplitResult:
    """Files written, with numbers of images and objects, and what was found on the way.

    Attributes:
        train: file of the train side.
        val: file of the val side.
        train_counts: images and objects in it.
        val_counts: images and objects in it.
        lost: images and objects that are on neither side, because they cannot be used (see `report`).
        report: all findings.
    """

    train: Path
    val: Path
    train_counts: tuple[int, int]
    val_counts: tuple[int, int]
    lost: tuple[int, int]
    report: Report


def split(config: SplitConfig) -> SplitResult:
    """Write ``<stem>_train.json`` and ``<stem>_val.json``; entries and ids stay as they are.

    Raises:
        ConfigError: an input does not exist, or cannot be split as asked.
        DataError: the JSON is not COCO, or holds no usable image.
    """
    path = find_annotations(config.annotations)
    raw = read_json(path, what="COCO JSON")
    dataset, report = parse_coco(raw, str(path))
    if not dataset.images:
        raise DataError(f"{path}: no usable image among {len(raw['images'])}; nothing to split. Export it again.")
    found = split_images(dataset.images, val=config.val, seed=config.seed, group_by=config.group_by)
    report.extend(found.findings)
    known = {instance.id for instance in dataset.instances}
    sides = [_side(raw, set(ids), known) for ids in (found.train, found.val)]
    folder = config.out or path.parent
    targets = [folder / f"{path.stem}_{side}.json" for side in ("train", "val")]
    for target, side in zip(targets, sides, strict=True):
        write_json(target, side, indent=None)
    counts = [(len(side["images"]), len(side["annotations"])) for side in sides]
    lost = (
        len(raw["images"]) - counts[0][0] - counts[1][0],
        len(raw["annotations"]) - counts[0][1] - counts[1][1],
    )
    return SplitResult(targets[0], targets[1], counts[0], counts[1], lost, report)


def _side(raw: dict[str, Any], image_ids: set[int], object_ids: set[int]) -> dict[str, Any]:
    """`raw` with the images of `image_ids` and their usable objects, each as it stands."""
    return {
        **raw,
        "images": _first_of_each(raw["images"], image_ids, lambda row: bool(as_text(row.get("file_name")))),
        "annotations": _first_of_each(
            raw["annotations"], object_ids, lambda row: as_int(row.get("image_id")) in image_ids
        ),
    }


def _first_of_each(rows: list[Any], ids: set[int], fits: Callable[[dict[str, Any]], bool]) -> list[Any]:
    """The first fitting entry of each id, in file order."""
    found: dict[int, Any] = {}
    for row in rows:
        row_id = as_int(row.get("id")) if isinstance(row, dict) else None
        if row_id is not None and row_id in ids and fits(row):
            found.setdefault(row_id, row)
    return list(found.values())
