"""Plain COCO: the home format; nothing is lost in it."""

from __future__ import annotations

import json
from pathlib import Path

from kpt_tools.annotations.coco import read_coco, to_coco
from kpt_tools.annotations.formats.base import Format, ReadOptions, WriteOptions, Written
from kpt_tools.entities import Dataset, Report

NAME = "coco"
FILE_NAME = "annotations.json"


def read(path: Path, options: ReadOptions) -> tuple[Dataset, Report]:
    """Read a COCO JSON; its own classes count.

    Raises:
        ConfigError: there is no such file.
        DataError: it is not COCO.
    """
    return read_coco(path)


def write(dataset: Dataset, options: WriteOptions) -> Written:
    """The data set as one JSON; images go into ``images/``."""
    return Written({FILE_NAME: as_json(to_coco(dataset))}, image_places(dataset))


def as_json(value: object) -> str:
    """Strict JSON as the other writers of this package write it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def image_places(dataset: Dataset, folder: str = "images") -> dict[int, str]:
    """Each image under its own name in `folder`."""
    return {image.id: f"{folder}/{image.file_name}" for image in dataset.images}


FORMAT = Format(NAME, read, write, upright=False, is_file=True)
