"""A CSV file that grows with a training, one row per report, also over several starts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from kpt_tools.fsio import atomic_open

STEP = "step"


class CsvLog:
    """Appends rows; use it as a context manager.

    Args:
        path: the file; one that is there is gone on with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: list[str] = []

    def __enter__(self) -> CsvLog:
        if self._path.is_file():
            with self._path.open(encoding="utf-8", newline="") as handle:
                self._columns = next(csv.reader(handle), [])
        self._handle = self._path.open("a", encoding="utf-8", newline="")
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._handle.close()

    def add(self, row: Mapping[str, object]) -> None:
        """Append a row at once; the first row of a new file decides on the columns, a value without one is left out."""
        writer = csv.writer(self._handle)
        if not self._columns:
            self._columns = list(row)
            writer.writerow(self._columns)
        writer.writerow([_text(row.get(name)) for name in self._columns])
        self._handle.flush()

    def forget_after(self, step: int) -> None:
        """Drop the rows of steps that were lost: the training goes on from `step`."""
        self._handle.close()
        rows = [row for row in read_rows(self._path) if float(row.get(STEP) or 0) <= step]
        with atomic_open(self._path, "w") as handle:
            writer = csv.writer(handle)
            if self._columns:
                writer.writerow(self._columns)
            writer.writerows([row[name] for name in self._columns] for row in rows)
        self._handle = self._path.open("a", encoding="utf-8", newline="")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a log; a last one that was cut short by a killed process is left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return [row for row in csv.DictReader(handle) if None not in row.values() and None not in row]


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
