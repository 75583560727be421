"""The lists of a JSON object in a file, one entry at a time: memory does not grow with the file.

Entries are decoded by Python's own `json`, so values are those of `fsio.read_json`; libraries that stream JSON refuse
what `json` accepts (NaN) or change it (halves of surrogate pairs).
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_json

_CHUNK = 1 << 20
_WHOLE = 16 << 20
"""A file up to this many bytes is read at once, which is faster."""
_SMALL = 64 << 20
"""A file up to this many bytes that cannot be streamed is read at once, too, for the exact reason."""
_SPACE = " \t\n\r"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

OnChunk = Callable[[], None]


def nobody() -> None:
    """Tells no one."""


class FileList(Iterable[Any]):
    """A list inside a JSON file, read anew by everyone who iterates over it.

    Raises:
        DataError: on iteration, if the file was changed meanwhile.
    """

    def __init__(self, path: Path, offset: int, on_chunk: OnChunk) -> None:
        """Take the list that begins at the byte `offset`."""
        self._path, self._offset, self._on_chunk = path, offset, on_chunk

    def __iter__(self) -> Iterator[Any]:
        """Decode one entry after the other."""
        try:
            with self._path.open("rb") as handle:
                handle.seek(self._offset)
                yield from _Window(handle, self._offset, self._on_chunk).entries()
        except (OSError, ValueError) as exc:
            raise DataError(
                f"{self._path}: changed while it was read ({exc}); expected it to stay. Run again."
            ) from exc


def read_rows(path: Path, wanted: Collection[str], *, what: str, on_chunk: OnChunk = nobody) -> object:
    """The JSON of a file; of an object only the wanted keys, and the lists of a large one as `FileList`.

    A large file is read once, to see that it is JSON.

    Args:
        path: the file.
        wanted: keys of the root object whose values matter.
        what: what the file should be, for messages.
        on_chunk: called for each mebibyte read, now and later.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        DataError: it is not JSON in UTF-8, or it is large and no object.
    """
    try:
        if path.stat().st_size <= _WHOLE:
            raw = read_json(path, what=what)
            return {key: raw[key] for key in raw if key in wanted} if isinstance(raw, dict) else raw
        return _index(path, wanted, on_chunk)
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: no such file; expected a {what}. Check the path.") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); expected a {what}.") from exc
    except (ValueError, RecursionError) as exc:
        if path.stat().st_size <= _SMALL:
            return read_json(path, what=what)  # no object, or no JSON: for the exact reason
        raise DataError(f"{path}: not valid JSON ({exc}); expected a {what}. Export it again.") from exc


def _index(path: Path, wanted: Collection[str], on_chunk: OnChunk) -> dict[str, Any]:
    """Walk through the file; lists of the wanted keys are given by their places."""
    found: dict[str, Any] = {}
    with path.open("rb") as handle:
        offset = len(_BYTE_ORDER_MARK) if handle.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK else 0
        handle.seek(offset)
        window = _Window(handle, offset, on_chunk)
        for key in window.keys():
            if window.peek() == "[":
                rows = FileList(path, window.byte_offset(), on_chunk)
                for _ in window.entries():
                    pass
                value: Any = rows
            else:
                value = window.value()
            if key in wanted:
                found[key] = value
        if window.peek():
            raise ValueError(f"extra data at character {window.position}")
    return found


class _Window:
    """A moving piece of a file, decoded."""

    def __init__(self, handle: IO[bytes], offset: int, on_chunk: OnChunk) -> None:
        self._handle, self._offset, self._on_chunk = handle, offset, on_chunk
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at, self._before, self._ended = "", 0, 0, False

    @property
    def position(self) -> int:
        """Number of characters passed since the start."""
        return self._before + self._at

    def byte_offset(self) -> int:
        """Where in the file the next character is."""
        return self._offset + len(self._text[: self._at].encode())

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def value(self) -> Any:
        """Decode the next value, and pass it."""
        if self._at >= len(self._text) or self._text[self._at] in _SPACE:
            self.peek()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except ValueError:
                if self._more():
                    continue
                raise
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return value

    def keys(self) -> Iterator[str]:
        """The keys of an object; the caller passes each value before it goes on."""
        self._expect("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise ValueError(f"expecting a property name at character {self.position}")
            key = self.value()
            self._expect(":")
            self.peek()
            yield key
            if not self._goes_on("}"):
                return

    def entries(self) -> Iterator[Any]:
        """The entries of a list."""
        self._expect("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if not self._goes_on("]"):
                return

    def _goes_on(self, end: str) -> bool:
        """Pass a comma, or the end of an object or list."""
        if self._text.startswith(", ", self._at):
            self._at += 2
            return True
        found = self.peek()
        if found not in (",", end) or not found:
            raise ValueError(f"expecting ',' or '{end}' at character {self.position}")
        self._at += 1
        return found == ","

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError(f"expecting '{character}' at character {self.position}")
        self._at += 1

    def _more(self) -> bool:
        """Read on, forgetting what has been passed; the rest of a long value comes in growing pieces."""
        if self._ended:
            return False
        rest = self._text[self._at :]
        self._offset = self.byte_offset()
        self._before += self._at
        data = self._handle.read(max(_CHUNK, len(rest)))
        self._ended = not data
        self._text, self._at = rest + self._decode(data, self._ended), 0
        for _ in range(-(-len(data) // _CHUNK)):
            self._on_chunk()
        return True
