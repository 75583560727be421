"""The best checkpoint of a run, kept in ``best/`` beside the last ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import DataError
from kpt_tools.fsio import read_json, staging_folder, write_json, write_text
from kpt_tools.odapi.checkpoints import STATE_FILE, CheckpointFile

FOLDER = "best"
FILE_NAME = "best.json"


@dataclass(frozen=True)
class Best:
    """Which checkpoint was best on the validation pictures.

    Attributes:
        step: of the checkpoint.
        metric: the name that it was chosen by.
        value: of that metric.
        scores: all of its metrics.
    """

    step: int
    metric: str
    value: float
    scores: Mapping[str, float | None]

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.metric} {self.value:.3f} at step {self.step}"


def read_best(run: Path) -> Best | None:
    """What ``run/best`` holds; None if there is none.

    Raises:
        DataError: its best.json is damaged.
    """
    path = run / FOLDER / FILE_NAME
    if not path.is_file():
        return None
    content: Any = read_json(path, what="best.json of a run")
    try:
        return Best(int(content["step"]), str(content["metric"]), float(content["value"]), dict(content["scores"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{path}: damaged ({exc!r}). Remove the folder {path.parent} and train on.") from exc


def keep_best(run: Path, checkpoint: CheckpointFile, best: Best) -> Path:
    """Put `checkpoint` in the place of what ``run/best`` holds; it is whole there at any moment."""
    target = run / FOLDER
    with staging_folder(run) as work:
        new = work / FOLDER
        new.mkdir()
        for path in sorted(checkpoint.prefix.parent.glob(f"{checkpoint.prefix.name}.*")):
            _link(path, new / path.name)
        write_text(new / STATE_FILE, f'model_checkpoint_path: "{checkpoint.prefix.name}"\n')
        write_json(new / FILE_NAME, vars(best))
        if target.exists():
            target.rename(work / "old")
        new.rename(target)
    return target


def _link(path: Path, copy: Path) -> None:
    """The same file once more without its bytes, where the file system can; checkpoints are never changed in place."""
    try:
        os.link(path, copy)
    except OSError:
        shutil.copy2(path, copy)
