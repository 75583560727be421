"""Files wherever Beam can reach them: on this machine, in Google's, Amazon's and Microsoft's clouds, on HDFS.

Paths travel through kpt-tools as `Path`, which makes ``gs://bucket/a`` into ``gs:/bucket/a``; `location_of` undoes
that.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from kpt_tools.errors import ConfigError
from kpt_tools.lazy import require

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
"""At least two letters: one is a drive of Windows."""


def location_of(path: Path | str) -> str:
    """The address that Beam knows a path by."""
    return _SCHEME.sub(r"\1://", str(path), count=1) if _SCHEME.match(str(path)) else str(path)


def is_remote(path: Path | str) -> bool:
    """Whether a path is one of another filesystem than this machine's."""
    return "://" in location_of(path)


def hidden_folder(parent: Path | str) -> str:
    """The address of a folder in `parent` that is nobody else's; it is not made."""
    return f"{location_of(parent).rstrip('/')}/.kpt-tools-beam-{os.urandom(16).hex()}"


def filesystems() -> Any:
    """Beam's `FileSystems`.

    Raises:
        MissingDependencyError: Apache Beam is not installed.
    """
    return require("apache_beam.io.filesystems", purpose="--runner").FileSystems


def _plain() -> dict[str, Any]:
    """As they are: Beam would unpack what ends in .gz."""
    types = require("apache_beam.io.filesystem", purpose="--runner")
    return {"compression_type": types.CompressionTypes.UNCOMPRESSED}


def open_read(path: Path | str) -> IO[bytes]:
    """Open a file to read from it."""
    handle: IO[bytes] = filesystems().open(location_of(path), **_plain())
    return handle


def open_new(path: Path | str) -> IO[bytes]:
    """Open a file to write to it; what was there is lost."""
    location = location_of(path)
    if not is_remote(location):
        Path(location).parent.mkdir(parents=True, exist_ok=True)
    handle: IO[bytes] = filesystems().create(location, **_plain())
    return handle


def read_bytes(path: Path | str) -> bytes:
    """All bytes of a file."""
    with open_read(path) as handle:
        return handle.read()


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file that appears whole: under another name first. The same may be written twice at once."""
    temporary = f"{location_of(path)}.{os.urandom(16).hex()}"
    with open_new(temporary) as handle:
        handle.write(data)
    move([(temporary, location_of(path))])


def move(pairs: Sequence[tuple[str, str]]) -> None:
    """Rename files; what is at the new names is replaced."""
    system = filesystems()
    for _, new in pairs:
        if is_remote(new) and system.exists(new):
            system.delete([new])
    system.rename([location_of(old) for old, _ in pairs], [location_of(new) for _, new in pairs])


def remove(locations: Sequence[str]) -> None:
    """Delete files or folders that are there."""
    present = [each for each in map(location_of, locations) if filesystems().exists(each)]
    if present:
        filesystems().delete(present)


def names_below(root: Path | str) -> list[str]:
    """The names of all files of a folder and below it, relative to it, in order.

    Raises:
        ConfigError: there is no file.
    """
    top = location_of(root).rstrip("/") + "/"
    (result,) = filesystems().match([f"{top}**"])
    names = sorted(entry.path.removeprefix(top) for entry in result.metadata_list)
    if not names:
        raise ConfigError(f"{top}: no file there; expected the folder of the annotated images. Check --images.")
    return names


def names_in(folder: Path | str) -> list[str]:
    """The names of the files of a folder, without those below it; none if there is no such folder."""
    top = location_of(folder).rstrip("/") + "/"
    (result,) = filesystems().match([f"{top}*"])
    return sorted(entry.path.removeprefix(top) for entry in result.metadata_list)


def copy_file(path: Path, target: Path | str) -> None:
    """Copy a file of this machine to anywhere; it appears whole."""
    temporary = f"{location_of(target)}.{os.urandom(16).hex()}"
    with path.open("rb") as source, open_new(temporary) as handle:
        shutil.copyfileobj(source, handle, 1 << 20)
    move([(temporary, location_of(target))])


@contextlib.contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """A file on this machine with the content of `path`: itself, or a copy for the time of the block.

    Raises:
        ConfigError: it cannot be read.
    """
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="kpt-tools-") as folder:
        copy = Path(folder) / path.name
        try:
            with open_read(path) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except Exception as exc:  # every filesystem has exceptions of its own
            raise ConfigError(
                f"{location_of(path)}: cannot be read ({exc}). Check the address and your rights."
            ) from exc
        yield copy
