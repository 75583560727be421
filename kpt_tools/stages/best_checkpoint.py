"""The best checkpoint of a run, kept in ``best/`` beside the last ones.

Its ``best.json`` says which it is, and appears last: whatever is interrupted, it names a checkpoint that is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpt_tools.errors import DataError
from kpt_tools.fsio import make_folder, read_json, write_json, write_text
from kpt_tools.odapi.checkpoints import STATE_FILE, CheckpointFile, exists

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


def best_file(run: Path) -> CheckpointFile | None:
    """The checkpoint that `read_best` tells of; None if there is none, or its files are gone."""
    best = read_best(run)
    if best is None or not exists(prefix := run / FOLDER / f"ckpt-{best.step}"):
        return None
    return CheckpointFile(prefix, best.step)


def keep_best(run: Path, checkpoint: CheckpointFile, best: Best) -> Path:
    """Put `checkpoint` in the place of what ``run/best`` holds; one of the two is whole there at any moment."""
    target = make_folder(run / FOLDER)
    new = sorted(checkpoint.prefix.parent.glob(f"{checkpoint.prefix.name}.*"))
    for path in new:
        _link(path, target / path.name)
    write_text(target / STATE_FILE, f'model_checkpoint_path: "{checkpoint.prefix.name}"\n')
    write_json(target / FILE_NAME, vars(best))
    for path in set(target.iterdir()) - {target / name for name in (STATE_FILE, FILE_NAME, *(p.name for p in new))}:
        path.unlink()
    return target


def _link(path: Path, copy: Path) -> None:
    """The same file once more without its bytes, where the file system can; checkpoints are never changed in place."""
    temporary = copy.with_name(f".{copy.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:
        shutil.copy2(path, temporary)
    temporary.replace(copy)
