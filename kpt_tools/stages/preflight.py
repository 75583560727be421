"""What can be known in a second before a training: data, memory, disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.records_manifest import FILE_NAME as RECORDS_MANIFEST
from kpt_tools.config.records_manifest import RecordsManifest, read_manifest
from kpt_tools.config.train import TrainConfig
from kpt_tools.entities import LabelMap
from kpt_tools.errors import ConfigError
from kpt_tools.odapi.pipeline_config import Message
from kpt_tools.odapi.training_memory import Needs, needs_of

AUTO = "auto"
_GB = 1e9
_MEMORY_SHARE = 0.85


@dataclass(frozen=True)
class Preflight:
    """The result.

    Attributes:
        batch_size: images per step to train with.
        lines: what was found, for people.
        warnings: what may go wrong, for people.
    """

    batch_size: int
    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def preflight(config: TrainConfig, resolved: Message, records: Sequence[str], label_map: LabelMap) -> Preflight:
    """Look at records, memory and disk.

    Args:
        config: of the command.
        resolved: the pipeline.config.
        records: glob patterns of the training shards.
        label_map: of the run.

    Raises:
        ConfigError: the records are of other classes or have no labelled keypoint, the batch size makes no sense, or
            the disk has no room for a checkpoint.
    """
    lines = _data(records, label_map)
    needs = needs_of(resolved)
    free = free_memory()
    batch_size = _batch_size(config, resolved, needs, free)
    memory = needs.memory(-(-batch_size // max(len(config.workers), 1)))
    lines += [f"memory: about {memory / _GB:.1f} GB at batch {batch_size} (an estimate), {free / _GB:.1f} GB free"]
    warnings = []
    if memory > free:
        warnings.append(
            f"memory may not be enough for batch {batch_size}; if it is not, the batch is halved and the training goes "
            "on. --batch-size auto chooses before."
        )
    disk = _free_disk(config.run)
    lines.append(f"disk: about {needs.disk / _GB:.1f} GB for checkpoints, {disk / _GB:.1f} GB free")
    if disk < needs.checkpoint:
        raise ConfigError(
            f"{config.run}: {disk / _GB:.1f} GB free on this disk; one checkpoint takes about "
            f"{needs.checkpoint / _GB:.1f} GB. Free some, or choose another folder with --run."
        )
    if disk < needs.disk:
        warnings.append("the disk may be full before the end of the training.")
    return Preflight(batch_size, tuple(lines), tuple(warnings))


def _data(patterns: Sequence[str], label_map: LabelMap) -> list[str]:
    manifest = _manifest(patterns)
    if manifest is None:
        return []
    names = [category.name for category in manifest.categories]
    expected = [item.name for item in label_map.items]
    if names != expected:
        raise ConfigError(
            f"{patterns[0]}: its records have the classes {', '.join(names)}; the label map has {', '.join(expected)}. "
            "Run kpt-tools make-tfrecord and make-config again."
        )
    train = manifest.splits.get("train")
    if train is None:
        return []
    if label_map.num_keypoints and not train.labelled_keypoints:
        raise ConfigError(
            f"{patterns[0]}: not one keypoint is labelled in its {train.instances} objects; nothing can be learnt from "
            "them. Run kpt-tools check on the annotations."
        )
    return [f"data: {train.images} images, {train.instances} objects, {train.labelled_keypoints} labelled keypoints"]


def _manifest(patterns: Sequence[str]) -> RecordsManifest | None:
    """The manifest beside the shards; None for records that another program made."""
    folders = {Path(pattern).parent for pattern in patterns}
    if len(folders) != 1 or not (folder := folders.pop()).joinpath(RECORDS_MANIFEST).is_file():
        return None
    return read_manifest(folder)


def _batch_size(config: TrainConfig, resolved: Message, needs: Needs, free: float) -> int:
    wanted = int(resolved.train_config.batch_size)
    if config.batch_size is None:
        return wanted
    if config.batch_size != AUTO:
        if not config.batch_size.isdecimal() or int(config.batch_size) < 1:
            raise ConfigError(f"--batch-size '{config.batch_size}'; expected a number from 1, or {AUTO}.")
        return int(config.batch_size)
    smaller = [2**power for power in range(16) if 2**power < wanted]
    fitting = [size for size in [*smaller, wanted] if needs.memory(size) <= free * _MEMORY_SHARE]
    return max(fitting, default=1)


def free_memory() -> float:
    """Bytes of memory that nobody uses."""
    import psutil

    return float(psutil.virtual_memory().available)


def _free_disk(folder: Path) -> float:
    """Bytes free where the folder is, or will be."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return float(shutil.disk_usage(existing).free)
