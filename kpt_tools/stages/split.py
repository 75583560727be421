"""`kpt-tools split`: one COCO JSON -> train, val and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kpt_tools.annotations.coco import parse_coco, read_coco
from kpt_tools.annotations.json_values import as_int, as_text
from kpt_tools.annotations.split import Split, split_images, split_in_order, strata_of
from kpt_tools.config.split import SplitConfig
from kpt_tools.entities import Dataset, Report
from kpt_tools.errors import ConfigError, DataError
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
        lost: images and objects that are on no side, because they cannot be used (see `report`).
        report: all findings.
        test: file of the test side, if there is one.
        test_counts: images and objects in it.
        classes: per side, number of objects by class name.
    """

    train: Path
    val: Path
    train_counts: tuple[int, int]
    val_counts: tuple[int, int]
    lost: tuple[int, int]
    report: Report
    test: Path | None = None
    test_counts: tuple[int, int] = (0, 0)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)


def split(config: SplitConfig) -> SplitResult:
    """Write ``<stem>_train.json``, ``<stem>_val.json`` and, if asked for, ``<stem>_test.json``.

    Entries and ids stay as they are.

    Raises:
        ConfigError: an input does not exist or cannot be split as asked, or the test file of an earlier split is
            there and none would be written now.
        DataError: the JSON is not COCO, or holds no usable image.
    """
    path = find_annotations(config.annotations)
    raw = read_json(path, what="COCO JSON")
    dataset, report = parse_coco(raw, str(path))
    if not dataset.images:
        raise DataError(f"{path}: no usable image among {len(raw['images'])}; nothing to split. Export it again.")
    found = _split(dataset, config)
    report.extend(found.findings)
    ids = {"train": found.train, "val": found.val, **({"test": found.test} if config.test else {})}
    known = {instance.id for instance in dataset.instances}
    sides = {name: _side(raw, set(of_side), known) for name, of_side in ids.items()}
    folder = config.out or path.parent
    targets = {name: folder / f"{path.stem}_{name}.json" for name in sides}
    if not config.test:
        _refuse_stale(folder / f"{path.stem}_test.json", dataset)
    for name, side in sides.items():
        write_json(targets[name], side, indent=None)
    counts = {name: (len(side["images"]), len(side["annotations"])) for name, side in sides.items()}
    return SplitResult(
        train=targets["train"],
        val=targets["val"],
        train_counts=counts["train"],
        val_counts=counts["val"],
        lost=(
            len(raw["images"]) - sum(images for images, _ in counts.values()),
            len(raw["annotations"]) - sum(objects for _, objects in counts.values()),
        ),
        report=report,
        test=targets.get("test"),
        test_counts=counts.get("test", (0, 0)),
        classes={name: _classes(dataset, set(of_side)) for name, of_side in ids.items()},
    )


def _refuse_stale(older: Path, dataset: Dataset) -> None:
    """Refuse to leave a test file behind whose images would be in train or val, too."""
    if not older.is_file():
        return
    try:
        names = {image.file_name for image in read_coco(older)[0].images}
    except DataError:
        return  # no COCO file, so no split
    shared = sum(image.file_name in names for image in dataset.images)
    if shared:
        raise ConfigError(
            f"{older}: is of an earlier split, and {shared} of its images would be in train or val, too; expected no "
            "such file without --test. Remove it, or split with --test."
        )


def _split(dataset: Dataset, config: SplitConfig) -> Split:
    if config.in_file_order:
        return split_in_order(dataset.images, val=config.val, test=config.test)
    return split_images(
        dataset.images,
        val=config.val,
        test=config.test,
        seed=config.seed,
        group_by=config.group_by,
        strata=strata_of(dataset) if config.stratify else None,
    )


def _classes(dataset: Dataset, image_ids: set[int]) -> dict[str, int]:
    """Number of objects of each class in some images."""
    counts = Counter(i.category_id for i in dataset.instances if i.image_id in image_ids)
    return {category.name: counts[category.id] for category in dataset.categories}


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
