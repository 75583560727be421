"""Models of the zoo as `--model`: by name or as an archive, unpacked and described where that was not done before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.config.model_metadata import FILE_NAME as METADATA_NAME
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import sha256_of, write_text
from kpt_tools.inference.saved_model import LABEL_MAP
from kpt_tools.pipeline.label_map import format_label_map
from kpt_tools.stages.unpack_model import ModelArchive, read_record, unpack_model
from kpt_tools.zoo.catalogue import CATALOGUE, ZooModel

SUFFIXES = (".tar.gz", ".tgz")

OnEvent = Callable[[dict[str, Any]], None]


def silent(event: dict[str, Any]) -> None:
    """Tell nobody."""


def is_archive(model: Path) -> bool:
    """Whether `model` is a file that is named like an archive of the zoo."""
    return model.name.endswith(SUFFIXES) and model.is_file()


def located(model: Path) -> Path:
    """The place of a model: a path as it is; a name stands for a folder or an archive under ``pretrained_models``.

    Raises:
        ConfigError: it is the name of a zoo model that is not here.
    """
    if model.exists() or len(model.parts) != 1:
        return model
    models, known = MakeConfigConfig.pretrained_models, in_zoo(model.name)
    names = [model.name, *((known.folder, known.archive) if known else ())]
    found = next((models / name for name in names if (models / name).exists()), None)
    if found is None and known is not None:
        raise ConfigError(f"{model}: this model of the zoo is not in {models}. Run: kpt-tools fetch {known.name}")
    return found or model


def in_zoo(name: str) -> ZooModel | None:
    """The model of the zoo that a name stands for: its own, its archive's or its folder's."""
    bare = _without_suffix(name)
    return next((model for model in CATALOGUE if bare in (model.name, model.folder)), None)


def _without_suffix(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def folder_name(model: Path) -> str:
    """The name of a model's folder; an archive's is that of its top folder in the zoo, else its own without suffix."""
    bare = _without_suffix(model.name)
    known = in_zoo(bare) if bare != model.name else None
    return known.folder if known else model.resolve().name if bare == model.name else bare


def unpacked(archive: Path, on_event: OnEvent) -> Path:
    """The folder of an archive, beside it; unpacked unless that was done before with the very same archive.

    Raises:
        ConfigError: something else is in the place of the folder, or it cannot be written.
        DataError: the archive is damaged or hostile.
    """
    folder = archive.parent / folder_name(archive)
    on_event({"kind": "phase", "name": "reading the archive"})
    sha256 = sha256_of(archive)
    if folder.exists() or folder.is_symlink():
        if read_record(folder).get("sha256") == sha256:
            return folder
        raise ConfigError(
            f"{folder}: is there, and is not what {archive.name} holds, which would be unpacked there. Name the folder "
            "itself with --model, or move it away."
        )
    whole = ModelArchive(archive, str(archive), sha256, archive.stat().st_size)
    unpack_model(whole, folder, folder.name, _Listener(on_event))
    on_event({"kind": "note", "text": f"{archive} unpacked to {folder}, which will be used from now on."})
    return folder


class _Listener:
    """Hands what an unpacking tells on as events."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event, self._told = on_event, -1

    def phase(self, name: str) -> None:
        """A new part of the work begins."""
        self._on_event({"kind": "phase", "name": name})

    def progress(self, done: int, total: int | None) -> None:
        """`done` of `total` bytes."""
        percent = 10 * (10 * done // total) if total else 0
        if percent != self._told:
            self._told = percent
            self.phase(f"unpacking {percent} %")

    def note(self, text: str) -> None:
        """Something that people should know."""
        self._on_event({"kind": "note", "text": text})


def describe(folder: Path, on_event: OnEvent) -> None:
    """Write the label map and the description of a zoo model beside it, as an export has them.

    Raises:
        ConfigError: its config is damaged, names classes that nobody knows, or the folder cannot be written to.
        DataError: its label map is damaged.
        MissingDependencyError: the OD API, whose protos read the config, is not installed.
    """
    from kpt_tools.odapi.zoo_metadata import zoo_metadata

    metadata = zoo_metadata(folder)
    written = METADATA_NAME
    if not (folder / LABEL_MAP).is_file():
        write_text(folder / LABEL_MAP, format_label_map(metadata.label_map))
        written = f"{LABEL_MAP} and {METADATA_NAME}"
    write_metadata(folder, metadata)
    items = metadata.label_map.items
    named = f"'{items[0].name}'" if len(items) == 1 else f"{len(items)} classes"
    text = (
        f"{folder}: {written} written: {named}, {metadata.label_map.num_keypoints} keypoints, from its pipeline.config."
    )
    on_event({"kind": "note", "text": text})
