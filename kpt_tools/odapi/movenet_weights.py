"""The arrays of a published MoveNet, from a TensorFlow.js graph (``.json`` with its ``.bin``) or an ``.npz`` of it."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.fsio import read_bytes, read_json

Array = npt.NDArray[Any]

_TFJS_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "bool": "|b1", "uint8": "|u1"}


def read_weights(path: Path) -> dict[str, Array]:
    """Read all arrays by their name in the graph; floating point values become float32.

    Args:
        path: the ``.npz``, or the ``.json`` or ``.bin`` of a TensorFlow.js graph, whose other part lies beside it.

    Raises:
        ConfigError: there is no such file, its other part is missing, or it is of another kind.
        DataError: it is damaged, or holds values that are not finite.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        arrays = _read_npz(path)
    elif suffix in (".json", ".bin"):
        arrays = _read_tfjs(path)
    else:
        raise ConfigError(f"{path}: expected the .npz, or the .json or .bin of a TensorFlow.js graph of MoveNet.")
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise DataError(f"{path}: '{name}' holds values that are not finite. Download it again.")
    return {
        name: array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array
        for name, array in arrays.items()
    }


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that `read_weights` reads the arrays from: the ``.npz``, or all that a ``.json`` names.

    Raises:
        ConfigError: there is no such ``.json``.
        DataError: it is damaged.
    """
    return (path,) if path.suffix.lower() == ".npz" else tuple(file for _, files in _groups(path) for file in files)


def _read_npz(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; expected the weights of MoveNet. Check the path.")
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise DataError(f"{path}: cannot be read ({reason}); expected an .npz of arrays. Download it again.") from exc


def _read_tfjs(path: Path) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for entries, files in _groups(path):
        data = b"".join(read_bytes(file, what=f"weights file of {path.name}") for file in files)
        try:
            arrays |= _cut(entries, data, ", ".join(str(file) for file in files))
        except (KeyError, TypeError, AttributeError, ValueError) as exc:
            raise _damaged(path, exc) from exc
    return arrays


def _groups(path: Path) -> list[tuple[list[dict[str, Any]], list[Path]]]:
    """What a graph says of its weights: groups of arrays, and the files that each group lies in."""
    path = path.with_suffix(".json")
    graph = read_json(path, what="TensorFlow.js graph of MoveNet")
    groups = graph.get("weightsManifest") if isinstance(graph, Mapping) else None
    if not isinstance(groups, list) or not groups:
        raise DataError(f"{path}: has no 'weightsManifest'; expected a TensorFlow.js graph of MoveNet.")
    try:
        return [(group["weights"], [path.parent / Path(name).name for name in group["paths"]]) for group in groups]
    except (KeyError, TypeError) as exc:
        raise _damaged(path, exc) from exc


def _damaged(path: Path, exc: Exception) -> DataError:
    return DataError(f"{path}: damaged 'weightsManifest' ({exc!r}). Download it again.")


def _cut(entries: list[dict[str, Any]], data: bytes, where: str) -> dict[str, Array]:
    """The arrays of one group, which lie one behind the other in `data`."""
    arrays: dict[str, Array] = {}
    position = 0
    for entry in entries:
        stored = entry.get("quantization", {}).get("dtype", entry["dtype"])
        if stored not in _TFJS_TYPES or "scale" in entry.get("quantization", {}):
            raise DataError(
                f"{where}: '{entry['name']}' is stored as {stored}; expected {', '.join(_TFJS_TYPES)}, not scaled."
            )
        kind, shape = np.dtype(_TFJS_TYPES[stored]), tuple(int(size) for size in entry["shape"])
        end = position + kind.itemsize * math.prod(shape)
        if end > len(data):
            raise DataError(
                f"{where}: {len(data)} bytes, '{entry['name']}' ends at {end}. It is cut off; download again."
            )
        arrays[entry["name"]] = np.frombuffer(data[position:end], kind).reshape(shape)
        position = end
    if position != len(data):
        raise DataError(f"{where}: {len(data)} bytes, expected {position}. They are not of one model.")
    return arrays
