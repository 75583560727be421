"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

from kpt_tools.errors import ConfigError, DataError, KptToolsError

_STAGING = ".kpt-tools-"
_ROWS_AT_ONCE = 100


@contextlib.contextmanager
def atomic_open(path: Path, mode: str = "wb", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; it takes the place of `path` when the block ends well.

    If the block raises, `path` stays as it was and the temporary file is removed.

    Args:
        path: the file to write; missing parent folders are made.
        mode: ``"wb"`` or ``"w"`` (UTF-8).
        durable: wait until the disk has the data, so that it outlives a power failure; not needed for one of
            thousands of pictures that can be made again.

    Raises:
        ConfigError: the folder cannot be written to.
        KptToolsError: the file system refused the data (disk full, for example).
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        encoding = None if "b" in mode else "utf-8"
        with os.fdopen(descriptor, mode, encoding=encoding) as handle:
            yield handle
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as exc:
        raise _write_error(path, exc) from exc
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder in `parent` for outputs that will be moved into place; it is removed at the end.

    What killed processes left behind in `parent` is removed, too.

    Raises:
        ConfigError: `parent` cannot be written to.
        KptToolsError: the file system refused the data (disk full, for example).
    """
    make_folder(parent)
    for stale in parent.glob(f"{_STAGING}*"):
        import psutil  # rarely needed

        owner = stale.name.removeprefix(_STAGING).partition("-")[0]
        if not (owner.isdecimal() and psutil.pid_exists(int(owner))):
            shutil.rmtree(stale, ignore_errors=True)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{_STAGING}{os.getpid()}-", dir=parent))
    except OSError as exc:
        raise _write_error(parent, exc) from exc
    try:
        yield folder
    except OSError as exc:
        raise _write_error(Path(exc.filename or parent), exc) from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_error(path: Path, exc: OSError) -> KptToolsError:
    reason = exc.strerror or str(exc)
    if isinstance(exc, PermissionError | FileExistsError | NotADirectoryError | IsADirectoryError) or exc.errno == 30:
        return ConfigError(f"{path}: cannot be written ({reason}). Choose another output folder or change its rights.")
    return KptToolsError(
        f"{path}: writing failed ({reason}). Nothing was left half-written; free the cause and run again."
    )


def make_folder(path: Path) -> Path:
    """Make the folder `path` with its parents, and return it.

    Raises:
        ConfigError: it cannot be made, or a file is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _write_error(path, exc) from exc
    return path


def write_text(path: Path, text: str) -> Path:
    """Write `text` as UTF-8, atomically, and return the path."""
    with atomic_open(path, "w") as handle:
        handle.write(text)
    return path


def write_json(path: Path, value: object, *, indent: int | None = 2) -> Path:
    """Write `value` as strict JSON, atomically, and return the path.

    Raises:
        DataError: it holds NaN or an infinite number, which JSON cannot.
    """
    return write_text(path, _json_text(value, path, indent) + "\n")


def _json_text(value: object, path: Path, indent: int | None) -> str:
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError as exc:
        raise DataError(
            f"{path}: not written, a number to be written is NaN or infinite, which JSON cannot hold; expected finite "
            "numbers. kpt-tools check tells where, kpt-tools repair takes them out."
        ) from exc
    if text.isascii() or _is_unicode(text):
        return text
    return json.dumps(value, indent=indent, allow_nan=False)


def write_json_rows(path: Path, lists: Mapping[str, Iterable[object]]) -> Path:
    """`write_json` without indentation, of an object of lists; entries are written as they come.

    Raises:
        DataError: an entry holds NaN or an infinite number, which JSON cannot.
    """
    for _ in json_rows_written(path, lists):
        pass
    return path


def json_rows_written(path: Path, lists: Mapping[str, Iterable[object]]) -> Iterator[int]:
    """`write_json_rows` in steps, with something else in between; the file is there after the last one.

    Yields:
        The number of entries in each step.
    """
    with atomic_open(path, "w") as handle:
        before = "{"
        for key, rows in lists.items():
            handle.write(f"{before}{json.dumps(key)}: [")
            before, comma, left = "], ", "", iter(rows)
            while some := list(islice(left, _ROWS_AT_ONCE)):
                handle.write(comma + _json_text(some, path, indent=None)[1:-1])
                comma = ", "
                yield len(some)
        handle.write("]}\n")


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON may hold halves of surrogate pairs."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def read_bytes(path: Path, *, what: str) -> bytes:
    """Read a file.

    Args:
        path: the file.
        what: what the file should be, for the message ("COCO JSON", "label map").

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: no such file; expected a {what}. Check the path.") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); expected a {what}.") from exc


def read_text(path: Path, *, what: str) -> str:
    """Read a UTF-8 text file; a byte order mark at its start is dropped.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: it is not UTF-8.
    """
    try:
        return read_bytes(path, what=what).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(f"{path}: byte {exc.start} is not UTF-8; expected a {what}. Save it as UTF-8.") from exc


def read_json(path: Path, *, what: str) -> Any:
    """Read a JSON file.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: it is empty, truncated or not JSON.
    """
    text = read_text(path, what=what)
    if not text.strip():
        raise DataError(f"{path}: the file is empty; expected a {what}. Export it again.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{path}: not valid JSON ({exc}); expected a {what}. Export it again.") from exc


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def replace_folder(new: Path, place: Path) -> None:
    """Move the folder `new` to `place`; what was there goes only when the new one has taken its place.

    Both must be on one file system. What was there is moved beside `new` first, so `new` should lie in a
    `staging_folder`.
    """
    old = new.with_name(f"{new.name}.old")
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
