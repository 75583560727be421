"""A filesystem of Beam's for tests: ``shelf://a/b`` is the file ``a/b`` below a folder of this machine.

Files called ``locked.jpg`` cannot be read.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

SCHEME = "shelf"


class Shelf(LocalFileSystem):  # type: ignore[misc]
    """See above; `root` is the folder."""

    root = Path()

    @classmethod
    def scheme(cls) -> str:
        return SCHEME

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def has_dirs(self) -> bool:
        return False

    def mkdirs(self, path: str) -> None:
        self._local(path).mkdir(parents=True, exist_ok=False)

    def exists(self, path: str) -> bool:
        return self._local(path).exists()

    def _local(self, path: str) -> Path:
        assert path.startswith(f"{SCHEME}://")
        return self.root / path.removeprefix(f"{SCHEME}://")

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for found in sorted(self._local(dir_or_prefix).rglob("*")):
            if found.is_file():
                name = f"{SCHEME}://{found.relative_to(self.root).as_posix()}"
                yield FileMetadata(name, found.stat().st_size, found.stat().st_mtime)

    def create(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> IO[bytes]:
        self._local(path).parent.mkdir(parents=True, exist_ok=True)
        return super().create(str(self._local(path)), mime_type, compression_type)  # type: ignore[no-any-return]

    def open(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> IO[bytes]:
        if path.endswith("/locked.jpg"):
            raise BeamIOError("the shelf is locked")
        return super().open(str(self._local(path)), mime_type, compression_type)  # type: ignore[no-any-return]

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for old, new in zip(source_file_names, destination_file_names, strict=True):
            self._local(new).parent.mkdir(parents=True, exist_ok=True)
            self._local(old).rename(self._local(new))

    def delete(self, paths: list[str]) -> None:
        for path in map(self._local, paths):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
