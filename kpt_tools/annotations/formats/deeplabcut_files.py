"""The files of DeepLabCut: a table, the folder of a video, or a whole project; CSV, or HDF5 through pandas."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from kpt_tools.annotations.formats.base import Format, ReadOptions, WriteOptions, Written
from kpt_tools.annotations.formats.deeplabcut import HEAD, ROOT, parse
from kpt_tools.annotations.formats.deeplabcut_write import write
from kpt_tools.entities import Dataset, Report
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_bytes, read_text
from kpt_tools.lazy import require

NAME = "deeplabcut"
HDF5_NAME = "deeplabcut-h5"
KEY = "df_with_missing"
WHAT = "CollectedData table of DeepLabCut"


def read(path: Path, options: ReadOptions) -> tuple[Dataset, Report]:
    """Read a table, all tables of a video's folder, or those of a project.

    Raises:
        ConfigError: there is none, or several scorers labelled the same folder.
        DataError: a table is not DeepLabCut's.
        MissingDependencyError: it is HDF5, and pandas or tables is not installed.
    """
    tables = {str(file): _text_of(file) for file in table_files(path)}
    return parse(tables, str(path), options)


def table_files(path: Path) -> list[Path]:
    """The tables that `path` means: per folder the CSV if there is one, else the HDF5 file."""
    if not path.is_dir():
        return [path]
    below = path / ROOT if (path / ROOT).is_dir() else path
    by_folder: defaultdict[Path, list[Path]] = defaultdict(list)
    for file in sorted(below.rglob("CollectedData_*")):
        if file.suffix in (".csv", ".h5"):
            by_folder[file.parent].append(file)
    if not by_folder:
        raise ConfigError(f"{path}: no CollectedData_*.csv or .h5 in it; expected labelled frames. Check the path.")
    chosen = []
    for folder, files in by_folder.items():
        stems = sorted({file.stem for file in files})
        if len(stems) > 1:
            raise ConfigError(
                f"{folder}: labelled by several ({', '.join(stems)}); expected one. Name the file you mean."
            )
        chosen.append(min(files, key=lambda file: file.suffix != ".csv"))
    return chosen


def _text_of(file: Path) -> str:
    if file.suffix.lower() not in (".h5", ".hdf5"):
        return read_text(file, what=WHAT)
    read_bytes(file, what=WHAT)  # says so if it is not there
    pandas = _pandas()
    try:
        frame = pandas.read_hdf(file)
    except Exception as exc:  # PyTables raises nearly anything for what is no pandas table
        reason = " ".join(str(exc).split())
        raise DataError(f"{file}: not a table of pandas ({reason}); expected a {WHAT}. Is the CSV beside it?") from exc
    text: str = frame.to_csv()
    return text


def write_hdf5(dataset: Dataset, options: WriteOptions) -> Written:
    """As `write`, with the HDF5 file that DeepLabCut trains from beside each CSV.

    Raises:
        MissingDependencyError: pandas or tables is not installed.
    """
    written = write(dataset, options)
    files: dict[str, str | bytes] = {}
    for name, text in written.files.items():
        files[name] = text
        files[str(Path(name).with_suffix(".h5").as_posix())] = _hdf5_of(str(text))
    return dataclasses.replace(written, files=files)


def _hdf5_of(text: str) -> bytes:
    """The table as DeepLabCut's own `convertcsv2h5` makes it."""
    pandas = _pandas()
    head = sum(line.split(",", 1)[0] in HEAD for line in text.splitlines()[: len(HEAD)])
    frame = pandas.read_csv(io.StringIO(text), index_col=[0, 1, 2], header=list(range(head)))
    frame.columns = frame.columns.set_names([row for row in HEAD if head == len(HEAD) or row != "individuals"])
    frame.index = frame.index.set_names([None, None, None])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.h5"
        frame.to_hdf(file, key=KEY, mode="w")
        return file.read_bytes()


def _pandas() -> Any:
    """Pandas, if it can do HDF5."""
    require("tables", purpose="reading and writing DeepLabCut's .h5 files")
    return require("pandas", purpose="reading and writing DeepLabCut's .h5 files")


FORMAT = Format(NAME, read, write, upright=False, is_file=False)
HDF5_FORMAT = Format(HDF5_NAME, read, write_hdf5, upright=False, is_file=False)
