"""All formats by name, and which of them a file or folder is. Never a guess."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpt_tools.annotations.formats import (
    coco_annotator,
    cvat,
    deeplabcut,
    deeplabcut_files,
    label_studio,
    label_studio_write,
    labelme,
    plain_coco,
    yolo_files,
    yolo_pose,
)
from kpt_tools.annotations.formats.base import Format
from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import read_json

FORMATS: Mapping[str, Format] = {
    row.name: row
    for row in (
        plain_coco.FORMAT,
        coco_annotator.FORMAT,
        yolo_files.FORMAT,
        label_studio.FORMAT,
        cvat.FORMAT,
        deeplabcut_files.FORMAT,
        deeplabcut_files.HDF5_FORMAT,
        labelme.FORMAT,
    )
}
_ANNOTATOR_KEYS = frozenset({"isbbox", "dataset_id"})
_YAML = (".yaml", ".yml")


def format_of(name: str) -> Format:
    """The format of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in FORMATS:
        raise ConfigError(f"no format '{name}'{did_you_mean(name, dict(FORMATS))}")
    return FORMATS[name]


def detect(path: Path) -> tuple[Format, Path]:
    """The format of `path` and the file or folder to read, if there can be no doubt.

    Raises:
        ConfigError: nothing there, nothing known, or several possibilities (all are named).
        DataError: a file with the ending of JSON is none.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder; expected annotations. Check the path.")
    found = _of_folder(path) if path.is_dir() else _of_file(path)
    if len(found) == 1:
        name, place = found[0]
        return FORMATS[name], place
    if found:
        listed = "; ".join(f"{name} ({place})" for name, place in found[:6]) + ("; ..." if len(found) > 6 else "")
        raise ConfigError(f"{path}: could be any of {listed}. Name the file, and the format with --from.")
    raise ConfigError(f"{path}: none of {', '.join(FORMATS)} as far as can be seen. Name the format with --from.")


_Found = list[tuple[str, Path]]


def _of_folder(path: Path) -> _Found:
    """Candidates in a folder: a data.yaml, tables of DeepLabCut, LabelMe's files, or one other JSON each."""
    found: _Found = [(yolo_pose.NAME, path)] if (path / yolo_pose.YAML_NAME).is_file() else []
    with contextlib.suppress(ConfigError):  # none there, or several scorers: then the reader will say so
        if deeplabcut_files.table_files(path):
            found.append((deeplabcut_files.NAME, path))
    if not found and (path / deeplabcut.ROOT).is_dir():
        found.append((deeplabcut_files.NAME, path))
    files = sorted(path.rglob("*.json"))
    kinds = {file: _of_json(file) for file in files}
    if any(kind == labelme.NAME for kind in kinds.values()):
        found.append((labelme.NAME, path))
    return found + [(kind, file) for file, kind in kinds.items() if kind not in ("", labelme.NAME)]


def _of_file(path: Path) -> _Found:
    suffix = path.suffix.lower()
    if suffix in _YAML:
        return [(yolo_pose.NAME, path)]
    if suffix in (".h5", ".hdf5"):
        return [(deeplabcut_files.HDF5_NAME, path)]
    if suffix == ".csv":
        with path.open(encoding="utf-8", errors="replace") as handle:
            return [(deeplabcut_files.NAME, path)] if handle.read(6) == "scorer" else []
    kind = kind_of_json(read_json(path, what="JSON of annotations")) if suffix == ".json" else _of_json(path)
    return [(kind, path)] if kind else []


def _of_json(path: Path) -> str:
    """The name of the JSON's format, "" if it is none of ours."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ""
    return kind_of_json(raw)


def kind_of_json(raw: object) -> str:
    """The name of the format of parsed JSON, "" if it is none of ours."""
    if labelme.is_labelme(raw):
        return labelme.NAME
    if isinstance(raw, list) and raw and all(label_studio.is_task(row) for row in raw):
        return label_studio_write.NAME
    if not isinstance(raw, dict) or not {"images", "annotations", "categories"} <= set(raw):
        return ""
    if raw.get("licenses") == [{"name": "", "id": 0, "url": ""}] and "info" in raw:
        return cvat.NAME
    return coco_annotator.NAME if _of_annotator(raw) else plain_coco.NAME


def _of_annotator(raw: dict[str, Any]) -> bool:
    rows = [row for key in ("images", "annotations") for row in (raw[key] if isinstance(raw[key], list) else [])]
    return any(isinstance(row, dict) and not _ANNOTATOR_KEYS.isdisjoint(row) for row in rows)
