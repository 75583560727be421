"""The manifest that `make-tfrecord` leaves beside its shards, and that `make-config` and `eval` read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.config.base import from_dict
from kpt_tools.entities import Category
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json, write_json

FILE_NAME = "manifest.json"
FORMAT = "kpt-tools-records/1"


@dataclass(frozen=True)
class SplitRecords:
    """The shards of one split.

    Attributes:
        pattern: glob of the shard names, relative to the manifest: ``train.record-?????-of-00002``.
        shards: file name to the CRC-32C of the file (8 hexadecimal digits), in shard order.
        images: number of records in all shards, as read back.
        instances: number of objects in them.
        labelled_keypoints: number of keypoints with v > 0 in them.
        max_instances: the most objects in one image; 0 if unknown.
    """

    pattern: str
    shards: dict[str, str]
    images: int
    instances: int
    labelled_keypoints: int
    max_instances: int = 0


@dataclass(frozen=True)
class RecordsManifest:
    """What is in a folder of records.

    Attributes:
        label_map: path of the label map; relative paths count from the manifest's folder.
        categories: classes in label-map order; `id` is the label-map id (1..C).
        splits: "train", and "val" where there is one.
        median_image_hw: height and width in pixels of the median image, as it is stored.
        source: paths and SHA-256 of the JSON files, options of the run, versions.
        max_side: what the longer side of stored pictures was limited to, in pixels; None: they are as they were.
        reduced_images: number of pictures that are stored smaller for it.
        aspect_range: least and greatest width / height of all pictures; None in manifests that do not tell.
    """

    label_map: str
    categories: tuple[Category, ...]
    splits: dict[str, SplitRecords]
    median_image_hw: tuple[int, int]
    source: dict[str, Any]
    max_side: int | None = None
    reduced_images: int = 0
    aspect_range: tuple[float, float] | None = None

    def write(self, folder: Path) -> Path:
        """Write ``folder/manifest.json`` and return its path."""
        return write_json(folder / FILE_NAME, {"format": FORMAT, **dataclasses.asdict(self)})


def read_manifest(folder: Path) -> RecordsManifest:
    """Read ``folder/manifest.json``.

    Raises:
        ConfigError: there is none.
        DataError: it is not a manifest of records.
    """
    path = folder / FILE_NAME
    raw = read_json(path, what="manifest of records (run kpt-tools make-tfrecord)")
    if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
        raise DataError(f"{path}: not a manifest of format {FORMAT}. Run kpt-tools make-tfrecord again.")
    try:
        raw["categories"] = tuple(_category(row) for row in raw["categories"])
        raw["splits"] = {name: from_dict(SplitRecords, row) for name, row in raw["splits"].items()}
        raw["median_image_hw"] = tuple(raw["median_image_hw"])
        if raw.get("aspect_range") is not None:
            raw["aspect_range"] = tuple(map(float, raw["aspect_range"]))
    except (KeyError, TypeError, AttributeError) as exc:
        raise DataError(f"{path}: damaged manifest ({exc}). Run kpt-tools make-tfrecord again.") from exc
    return from_dict(RecordsManifest, raw)


def _category(row: dict[str, Any]) -> Category:
    return Category(
        id=row["id"],
        name=row["name"],
        keypoints=tuple(row["keypoints"]),
        skeleton=tuple((a, b) for a, b in row["skeleton"]),
        supercategory=row.get("supercategory", ""),
    )
