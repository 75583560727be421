"""`kpt-tools models`: what the zoo has, and what of it is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpt_tools.config.models import ModelsConfig
from kpt_tools.zoo.catalogue import CATALOGUE, ZooModel
from kpt_tools.zoo.layout import missing_parts
from kpt_tools.zoo.part_file import part_of


@dataclass(frozen=True)
class ListedModel:
    """A model of the zoo, and how much of it is here.

    Attributes:
        model: the model.
        present_bytes: of its folder; None if that is not there.
        lacking: what the folder lacks, if it is there.
        part_bytes: of an unfinished download; 0 if there is none.
    """

    model: ZooModel
    present_bytes: int | None
    lacking: tuple[str, ...]
    part_bytes: int


@dataclass(frozen=True)
class ModelsResult:
    """All models of the zoo, in its order.

    Attributes:
        folder: where was looked for them.
        models: the models.
    """

    folder: Path
    models: tuple[ListedModel, ...]


def list_models(config: ModelsConfig) -> ModelsResult:
    """Look what is there; needs no network."""
    folder = config.pretrained_models
    return ModelsResult(folder, tuple(_listed(model, folder) for model in CATALOGUE))


def _listed(model: ZooModel, models: Path) -> ListedModel:
    folder, part = models / model.folder, part_of(models / model.archive)
    part_bytes = part.stat().st_size if part.is_file() else 0
    if not folder.is_dir():
        return ListedModel(model, None, (), part_bytes)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return ListedModel(model, size, tuple(missing_parts(folder)), part_bytes)
