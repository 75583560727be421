"""The annotated images that `eval` measures on: from records, or from a COCO JSON and its images."""

from __future__ import annotations

import glob
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.records_manifest import FILE_NAME as RECORDS_MANIFEST
from kpt_tools.config.records_manifest import read_manifest
from kpt_tools.entities import Instance, LabelMap, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import ImageRgb
from kpt_tools.inference.images import decode_image
from kpt_tools.stages.run_manifest import FILE_NAME as RUN_NAME
from kpt_tools.stages.run_manifest import read_run

LOST = "image-lost"
_OF = re.compile(r"-of-(\d{5,})$")


@dataclass(frozen=True, slots=True)
class TruthImage:
    """An image with its objects; classes and keypoints are those of the model's label map.

    `position` is the number of its record, from 0, or 0 where there are no records.
    """

    name: str
    image_id: int
    rgb: ImageRgb
    instances: tuple[Instance, ...]
    position: int = 0


def records_of_run(run: Path | None, model: Path) -> list[str]:
    """The validation records that a run was trained beside, as patterns.

    Raises:
        ConfigError: there is no run, or it names no validation records.
    """
    patterns: object = None
    if run is not None and (run / RUN_NAME).is_file():
        patterns = read_run(run).get("eval_records")
    if not isinstance(patterns, list) or not patterns:
        raise ConfigError(
            f"{run or model}: no validation records are known for this model; expected 'eval_records' in the run's "
            f"{RUN_NAME}. Name some with --records 'val.record-*', or give --annotations and --images."
        )
    return [str(pattern) for pattern in patterns]


def find_shards(patterns: Sequence[str]) -> list[Path]:
    """The shards that the patterns match, in order; all that a name ``...-of-0000N`` promises must be there.

    Raises:
        ConfigError: a pattern matches nothing, or a folder.
        DataError: shards of a set are missing.
    """
    shards: list[Path] = []
    for pattern in patterns:
        found = sorted(Path(name) for name in glob.glob(pattern))
        if not found:
            raise ConfigError(
                f"{pattern}: no such records. Run kpt-tools make-tfrecord, or name others with --records."
            )
        folders = [path for path in found if path.is_dir()]
        if folders:
            raise ConfigError(
                f"{folders[0]}: a folder; expected TFRecord shards. Name those in it: '{folders[0]}/val.record-*'."
            )
        promised = {int(match[1]) for match in map(_OF.search, (path.name for path in found)) if match}
        if glob.has_magic(pattern) and len(promised) == 1 and len(found) < max(promised):
            raise DataError(
                f"{pattern}: {len(found)} shards found; their names promise {max(promised)}. "
                "Copy the missing ones, or run kpt-tools make-tfrecord again."
            )
        shards += [path for path in found if path not in shards]
    return shards


def count_records(shards: Sequence[Path]) -> int | None:
    """Number of images in `shards` as their manifest tells it; None if it does not cover them."""
    folders = {path.parent for path in shards}
    names = {path.name for path in shards}
    if len(folders) != 1 or not (folder := next(iter(folders))).joinpath(RECORDS_MANIFEST).is_file():
        return None
    splits = read_manifest(folder).splits.values()
    covering = [split for split in splits if set(split.shards) <= names]
    covered = {name for split in covering for name in split.shards}
    return sum(split.images for split in covering) if covered == names else None


def truth_from_records(
    shards: Sequence[Path], label_map: LabelMap, report: Report, *, only: Container[int] | None = None
) -> Iterator[TruthImage]:
    """Decode records; an image that cannot be decoded is reported and passed over.

    Args:
        shards: the record files.
        label_map: of the model.
        report: gets what is passed over.
        only: the positions of the records to decode; None: all.

    Raises:
        DataError: a shard is damaged or holds something else.
    """
    from kpt_tools.records.decode import read_records

    for position, sample in enumerate(read_records(shards, label_map)):
        if only is not None and position not in only:
            continue
        try:
            rgb = decode_image(sample.encoded, sample.file_name, upright=False)
        except DataError as exc:
            report.add(LOST, "error", f"{exc} Passed over.", image=sample.file_name)
            continue
        height, width = rgb.shape[:2]
        if (width, height) != (sample.width, sample.height):
            message = (
                f"{sample.file_name}: the record says {sample.width}x{sample.height}, its image has {width}x{height}; "
                "passed over. Run kpt-tools make-tfrecord again."
            )
            report.add(LOST, "error", message, image=sample.file_name)
            continue
        image_id = as_number(sample.image_id, position + 1)
        yield TruthImage(sample.file_name, image_id, rgb, tuple(sample.instances), position)


def as_number(image_id: object, position: int) -> int:
    """The id as a number if it is one, else the position of the image (from 1)."""
    text = str(image_id)
    return int(text) if text.isdecimal() else position
