"""Inputs and outputs of a command that may lie on another filesystem, and the pipeline that it runs on."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kpt_tools.beam.files import (
    copy_file,
    hidden_folder,
    is_remote,
    local_copy,
    location_of,
    names_below,
    names_in,
    read_bytes,
    remove,
)
from kpt_tools.config.beam import BeamConfig
from kpt_tools.errors import ConfigError
from kpt_tools.records.image_bytes import ReadBytes
from kpt_tools.records.image_lookup import ImageFolder, ListedFolder
from kpt_tools.records.parallel import Mapper
from kpt_tools.records.progress import Progress
from kpt_tools.stages.annotation_input import find_annotations

_DEAD_LETTERS = "dead_letters"


@contextlib.contextmanager
def beam_map(beam: BeamConfig, out: Path, progress: Progress) -> Iterator[Mapper | None]:
    """What runs the work of a command on Beam; None without a runner.

    What its steps hand over is removed at the end. Dead letters are ``dead_letters-*.jsonl`` in the folder `out`.
    """
    if beam.runner is None:
        yield None
        return
    from kpt_tools.beam.job import BeamMap

    folder, temp = location_of(out), hidden_folder(beam.beam_temp or out)
    remove([f"{folder}/{name}" for name in names_in(out) if name.startswith(_DEAD_LETTERS)])
    try:
        yield BeamMap(beam.pipeline_options, temp, f"{folder}/{_DEAD_LETTERS}", progress)
    finally:
        remove([temp])


@contextlib.contextmanager
def annotations_of(given: Path | None, beam: BeamConfig) -> Iterator[tuple[Path, Path]]:
    """The JSON as it is called, and a file on this machine with its content.

    Raises:
        ConfigError: there is none, or it is on another filesystem and there is no runner.
    """
    if given is None or not is_remote(given):
        found = find_annotations(given)
        yield found, found
        return
    need_runner(given, beam)
    with local_copy(given) as copy:
        yield given, copy


def image_folder(path: Path, beam: BeamConfig) -> tuple[ImageFolder, ReadBytes | None]:
    """A folder of images, and what reads its files if they are on another filesystem.

    Raises:
        ConfigError: there is no such folder, or it is on another filesystem and there is no runner.
    """
    if not is_remote(path):
        return ImageFolder(path), None
    need_runner(path, beam)
    return ListedFolder(path, names_below(path), location_of(path)), read_bytes


@contextlib.contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """Where to write a file that is to be at `path` after the block."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as folder:
        yield Path(folder) / path.name
        copy_file(Path(folder) / path.name, path)


def need_runner(path: Path, beam: BeamConfig) -> None:
    """Refuse a path of another filesystem where there is no runner.

    Raises:
        ConfigError: so it is.
    """
    if beam.runner is None:
        raise ConfigError(
            f"{location_of(path)}: is not on this machine; expected a path of it. With --runner DirectRunner, any "
            "filesystem can be read that Apache Beam knows."
        )
