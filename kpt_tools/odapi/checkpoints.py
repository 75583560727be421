"""Checkpoints on disk, looked at without TensorFlow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kpt_tools.fsio import write_text

STATE_FILE = "checkpoint"
_LATEST = re.compile(r'^model_checkpoint_path:\s*"(.*)"\s*$', re.MULTILINE)
_ALL = re.compile(r'^all_model_checkpoint_paths:\s*"(.*)"\s*$', re.MULTILINE)
_STEP = re.compile(r"-(\d+)$")
_FILE = re.compile(r"^(ckpt-\d+)\.(?:index|data-\d+-of-\d+)$")
_HALF_WRITTEN = re.compile(r"^ckpt-\d+_temp|\.tempstate\d+$|^checkpoint\.tmp|^\.[\w.-]+\.tmp$")
"""Of TensorFlow's writer of checkpoints, of its state file, and of `kpt_tools.fsio.atomic_open`."""


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint of a run: the path without suffix, and the step in its name."""

    prefix: Path
    step: int


def latest(run: Path) -> CheckpointFile | None:
    """The checkpoint that TensorFlow would restore from `run`, or None.

    The state file names it; a name whose files are gone counts as none.
    """
    state = run / STATE_FILE
    if not state.is_file():
        return None
    match = _LATEST.search(state.read_text(encoding="utf-8", errors="replace"))
    if match is None:
        return None
    prefix = run / Path(match.group(1)).name
    step = _STEP.search(prefix.name)
    if step is None or not exists(prefix):
        return None
    return CheckpointFile(prefix, int(step.group(1)))


def leftovers(run: Path) -> list[Path]:
    """Files and folders in `run` that a killed process left half-written, or did not come to enter in the state file.

    Only to be asked while nobody writes there. Without a state file, checkpoints count as wanted.
    """
    if not run.is_dir():
        return []
    state = run / STATE_FILE
    found = [path for path in run.iterdir() if _HALF_WRITTEN.search(path.name)]
    if state.is_file():
        text = state.read_text(encoding="utf-8", errors="replace")
        listed = {Path(name).name for name in [*_LATEST.findall(text), *_ALL.findall(text)]}
        files = [(path, match.group(1)) for path in run.iterdir() if (match := _FILE.match(path.name))]
        found += [path for path, name in files if name not in listed]
    return sorted(found)


def exists(prefix: Path) -> bool:
    """Whether `prefix` has an index and at least one data file."""
    index = prefix.with_name(prefix.name + ".index")
    return index.is_file() and any(prefix.parent.glob(f"{prefix.name}.data-*"))


def forget_latest(run: Path) -> CheckpointFile | None:
    """Make TensorFlow restore the checkpoint before the latest; None if there is no other.

    The files of the latest stay until a new checkpoint takes their name, or the user removes them.
    """
    state = run / STATE_FILE
    last = latest(run)
    if last is None:
        return None
    names = [Path(name).name for name in _ALL.findall(state.read_text(encoding="utf-8", errors="replace"))]
    kept = [name for name in names if name != last.prefix.name and exists(run / name)]
    if not kept:
        state.unlink()
        return None
    lines = [f'model_checkpoint_path: "{kept[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in kept)]
    write_text(state, "\n".join(lines) + "\n")
    return latest(run)
