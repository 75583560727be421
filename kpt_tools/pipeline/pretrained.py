"""Pretrained models: the TF2 detection zoo's, exports (both ``<name>/checkpoint/ckpt-0.index``), and run folders."""

from __future__ import annotations

import re
from pathlib import Path

from kpt_tools.config.make_config import MakeConfigConfig
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.template import TemplateInfo

_NUMBER = re.compile(r"ckpt-(\d+)\.index")


def find_checkpoint(folder: Path) -> Path | None:
    """The prefix of a checkpoint (``.../checkpoint/ckpt-0``) in a model's folder.

    That of the zoo and of an export is ``checkpoint/ckpt-0``; where there is none, the highest number counts. A run
    folder has ``ckpt-1000`` and so on itself: the highest number is its last. None if there is no checkpoint.
    """
    exported = _checkpoints(folder / "checkpoint")
    if exported:
        return exported[0 if 0 in exported else max(exported)]
    own = _checkpoints(folder)
    return own[max(own)] if own else None


def _checkpoints(place: Path) -> dict[int, Path]:
    """The prefixes in a folder by number."""
    matches = ((path, _NUMBER.fullmatch(path.name)) for path in place.glob("ckpt-*.index"))
    return {int(match.group(1)): path.with_suffix("") for path, match in matches if match}


def choose_checkpoint(info: TemplateInfo, models: Path, *, pretrained: str | None, fresh: bool) -> Path | None:
    """The checkpoint that the training starts from; None for a fresh start.

    Args:
        info: the template; it names its zoo model.
        models: the folder of pretrained models.
        pretrained: another model, as a folder's name under `models` or as a path: of a model in the zoo's layout, of
            an export or a run folder of kpt-tools, or of one checkpoint (``runs/train/ckpt-500``).
        fresh: start from scratch.

    Raises:
        ConfigError: the model is not there; or `pretrained` and `fresh` contradict each other.
    """
    if fresh and pretrained:
        raise ConfigError(f"--fresh and --pretrained {pretrained} contradict each other; give one of them.")
    if fresh or not (pretrained or info.zoo_model):
        return None
    folder = _folder(models, pretrained) if pretrained else models / info.zoo_model
    checkpoint = _itself(folder) or find_checkpoint(folder)
    if checkpoint is None and pretrained:
        raise ConfigError(
            f"--pretrained {pretrained}: no checkpoint in {folder}; expected {folder / 'checkpoint' / 'ckpt-0.index'}, "
            f"or ckpt-*.index in a run folder. If it is a model of the zoo, run {_fetch(models, pretrained)}"
        )
    if checkpoint is None:
        raise ConfigError(
            f"{folder}: the pretrained model of this template is not there. Either run "
            f"{_fetch(models, info.zoo_model)}, or train from scratch with --fresh (needs far more images and time)."
        )
    return checkpoint


def _fetch(models: Path, name: str) -> str:
    """The command that downloads a model of the zoo to `models`."""
    elsewhere = "" if models == MakeConfigConfig.pretrained_models else f" --pretrained-models {models}"
    return f"kpt-tools fetch {name}{elsewhere}"


def _itself(path: Path) -> Path | None:
    """`path` if it is a checkpoint's prefix, or its ``.index`` file without that ending."""
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    return prefix if prefix.with_name(f"{prefix.name}.index").is_file() else None


def _folder(models: Path, pretrained: str) -> Path:
    below = models / pretrained
    return below if below.is_dir() else Path(pretrained)
