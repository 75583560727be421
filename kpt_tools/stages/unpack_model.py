"""An archive in the zoo's layout -> a folder: unpacked beside its place, checked, and moved there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kpt_tools
from kpt_tools.fsio import staging_folder, write_json
from kpt_tools.zoo.extract import unpack
from kpt_tools.zoo.layout import find_model_folder, install
from kpt_tools.zoo.listener import Listener

RECORD = "fetched.json"


@dataclass(frozen=True)
class ModelArchive:
    """An archive on this machine.

    Attributes:
        path: the file.
        source: where it comes from, for the record.
        sha256: its checksum.
        size: in bytes.
    """

    path: Path
    source: str
    sha256: str
    size: int


def unpack_model(archive: ModelArchive, folder: Path, name: str, listener: Listener) -> tuple[str, ...]:
    """Unpack an archive to `folder`, with a record of where it comes from; what is there is replaced.

    Args:
        archive: the archive.
        folder: the model's place.
        name: of the model, for the record.
        listener: hears how far it is.

    Returns:
        Names in the archive beside the model's folder, which were not taken over.

    Raises:
        ConfigError: the folder cannot be written or replaced.
        DataError: the archive is damaged, hostile, or has no model in it; nothing is left then.
    """
    with staging_folder(folder.parent) as staging:
        unpacked = staging / "unpacked"
        unpacked.mkdir()
        listener.phase("unpacking")
        counts = unpack(archive.path, unpacked, listener=listener)
        found = find_model_folder(unpacked, archive.path)
        record = {
            "model": name,
            "source": archive.source,
            "sha256": archive.sha256,
            "archive_bytes": archive.size,
            "files": counts.files,
            "unpacked_bytes": counts.total_bytes,
            "left_out": list(found.others),
            "kpt_tools": kpt_tools.__version__,
        }
        write_json(found.path / RECORD, record)
        install(found.path, folder, staging / "replaced")
    return found.others


def read_record(folder: Path) -> Mapping[str, Any]:
    """What an earlier unpacking wrote into the folder; empty if it was put there by other means."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
