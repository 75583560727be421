"""The zoo's layout: ``pipeline.config``, ``checkpoint/ckpt-0.*`` and ``saved_model/saved_model.pb`` in one folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.pipeline.pretrained import find_checkpoint

PIPELINE, CHECKPOINT, SAVED_MODEL = "pipeline.config", "checkpoint/ckpt-0.index", "saved_model/saved_model.pb"
_SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})")


@dataclass(frozen=True)
class ModelFolder:
    """A model's folder inside of what was unpacked.

    Attributes:
        path: the folder.
        others: names beside it, which do not belong to the model.
    """

    path: Path
    others: tuple[str, ...]


def find_model_folder(unpacked: Path, archive: Path) -> ModelFolder:
    """The one folder with a ``pipeline.config``: the archive's top folder, or the top itself.

    Raises:
        DataError: there is none, there are several, or it lacks a part of a model.
    """
    found = [path.parent for pattern in (PIPELINE, f"*/{PIPELINE}") for path in sorted(unpacked.glob(pattern))]
    if len(found) != 1:
        names = ", ".join(sorted(path.name for path in unpacked.iterdir())[:5]) or "nothing"
        raise DataError(
            f"{archive}: {len(found)} folders have a {PIPELINE}, expected one; at the top: {names}. "
            "It is no archive of the TF2 detection zoo."
        )
    lacking = missing_parts(found[0])
    if lacking:
        raise DataError(
            f"{archive}: {', '.join(lacking)} missing or empty in '{found[0].name}'; expected {PIPELINE}, {CHECKPOINT} "
            f"with its data, and {SAVED_MODEL}. It is no whole archive of the TF2 detection zoo."
        )
    others = () if found[0] == unpacked else sorted(path.name for path in unpacked.iterdir() if path != found[0])
    return ModelFolder(found[0], tuple(others))


def missing_parts(folder: Path) -> list[str]:
    """What a model's folder lacks, or has only as an empty file."""
    lacking = [name for name in (PIPELINE, SAVED_MODEL) if not _filled(folder / name)]
    prefix = find_checkpoint(folder)
    if prefix is None or prefix.parent.name != "checkpoint" or not _filled(prefix.with_name(f"{prefix.name}.index")):
        return [*lacking, CHECKPOINT]
    return lacking if _has_data(prefix) else [*lacking, f"checkpoint/{prefix.name}.data-*"]


def install(folder: Path, target: Path, spare: Path) -> None:
    """Move a finished `folder` to `target`; what is there goes to `spare`, and comes back if the move fails.

    Raises:
        ConfigError: it cannot be moved.
    """
    try:
        if target.exists() or target.is_symlink():
            target.rename(spare)
        folder.rename(target)
    except OSError as exc:
        if not target.exists() and (spare.exists() or spare.is_symlink()):
            spare.rename(target)
        raise ConfigError(f"{target}: cannot be replaced ({exc.strerror}). Close what uses it and run again.") from exc


def _filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _has_data(prefix: Path) -> bool:
    """Whether all shards of the checkpoint's data are there."""
    found = [
        (int(match[1]), int(match[2]))
        for path in prefix.parent.glob(f"{prefix.name}.data-*")
        if (match := _SHARD.fullmatch(path.name.removeprefix(prefix.name))) and _filled(path)
    ]
    return bool(found) and {number for number, _ in found} == set(range(found[0][1]))
