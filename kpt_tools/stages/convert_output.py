"""Files of another format into their place: whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import atomic_open, staging_folder
from kpt_tools.stages.outputs import refuse_overwriting

_FILE_SUFFIX = ".json"


def write_all(
    out: Path,
    files: Mapping[str, str | bytes],
    copies: Mapping[str, Path],
    *,
    one_file: bool,
    inputs: Sequence[Path | None] = (),
) -> tuple[Path, int]:
    """Write `files` and copy images.

    A format of one file goes to the file `out`, or into the folder `out`; files of the same name there are replaced.
    All others get the folder `out`, which must not be there, or be empty.

    Args:
        out: where to.
        files: content by path; the first is the main one.
        copies: image file by path.
        one_file: whether the format is one file.
        inputs: files that were read, and must not be replaced.

    Returns:
        The main file or the folder, and the number of copied images.

    Raises:
        ConfigError: the output is in the way, is an input, or cannot be written.
        DataError: a path leads out of the folder.
    """
    for name in (*files, *copies):
        _refuse_outside(name)
    if not one_file:
        replace_folder(out, files, copies)
        return out, len(copies)
    main = next(iter(files))
    to_file = out.suffix.lower() == _FILE_SUFFIX and not out.is_dir()
    if to_file and copies:
        raise ConfigError(f"--copy-images needs a folder as --out; found the file {out}. Name a folder.")
    places = {name: out if to_file and name == main else (out.parent if to_file else out) / name for name in files}
    for place in places.values():
        refuse_overwriting(inputs, {"--out": place})
    for name, content in files.items():
        _write(places[name], content)
    for name, source in copies.items():
        with source.open("rb") as reader, atomic_open(out / name) as handle:
            shutil.copyfileobj(reader, handle)
    return out if to_file else out / main, len(copies)


def replace_folder(
    out: Path, files: Mapping[str, str | bytes], copies: Mapping[str, Path], option: str = "--out"
) -> None:
    """Make the folder `out` with these files and copies, at once; `option` is what messages call it.

    Raises:
        ConfigError: there is something in it already, or it cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "is not empty" if out.is_dir() else "is a file"
        raise ConfigError(f"{out}: {what}; expected a new or empty folder for {option}. Choose another one.")
    with staging_folder(out.parent) as staging:
        folder = staging / "out"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        for name, source in copies.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        if out.exists():
            out.rmdir()
        folder.rename(out)


def _refuse_outside(name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise DataError(f"{name}: leads out of the output folder; expected a name inside it. Correct the file name.")


def _write(path: Path, content: str | bytes) -> None:
    with atomic_open(path, "wb" if isinstance(content, bytes) else "w") as handle:
        handle.write(content)
