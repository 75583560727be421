"""Reading published weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpt_tools.errors import ConfigError, DataError
from kpt_tools.odapi.movenet_weights import files_of, read_weights

ARRAYS = {
    "a/kernel": np.arange(6, dtype=np.float16).reshape(1, 2, 3),
    "b/size": np.array([12, 12], np.int32),
    "c/scalar": np.array(1.5, np.float16),
}


def entry(name: str) -> dict[str, Any]:
    array = ARRAYS[name]
    if array.dtype == np.int32:
        return {"name": name, "shape": list(array.shape), "dtype": "int32"}
    quantization = {"dtype": "float16", "original_dtype": "float32"}
    return {"name": name, "shape": list(array.shape), "dtype": "float32", "quantization": quantization}


def write_tfjs(folder: Path, change: Callable[[dict[str, Any]], object] = lambda graph: None) -> Path:
    """A graph of two files of weights."""
    (folder / "w1.bin").write_bytes(ARRAYS["a/kernel"].tobytes() + ARRAYS["b/size"].tobytes())
    (folder / "w2.bin").write_bytes(ARRAYS["c/scalar"].tobytes())
    groups = [
        {"paths": ["w1.bin"], "weights": [entry("a/kernel"), entry("b/size")]},
        {"paths": ["w2.bin"], "weights": [entry("c/scalar")]},
    ]
    graph: dict[str, Any] = {"format": "graph-model", "weightsManifest": groups}
    change(graph)
    path = folder / "w1.json"
    path.write_text(json.dumps(graph))
    return path


def assert_read(found: dict[str, Any]) -> None:
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == (np.int32 if array.dtype == np.int32 else np.float32)
        np.testing.assert_array_equal(found[name], array)


def test_tfjs(tmp_path: Path) -> None:
    path = write_tfjs(tmp_path)
    assert_read(read_weights(path))
    assert_read(read_weights(tmp_path / "w1.bin"))
    assert files_of(path) == files_of(tmp_path / "w1.bin") == (tmp_path / "w1.bin", tmp_path / "w2.bin")


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **ARRAYS)
    assert_read(read_weights(tmp_path / "w.npz"))
    assert files_of(tmp_path / "w.npz") == (tmp_path / "w.npz",)


@pytest.mark.parametrize(
    ("name", "content", "error", "match"),
    [
        pytest.param("w.npz", None, ConfigError, r"w\.npz: no such file", id="npz-missing"),
        pytest.param("w.npz", b"PK\x03\x04 cut", DataError, r"w\.npz: cannot be read", id="npz-damaged"),
        pytest.param("w.npz", b"", DataError, r"w\.npz: cannot be read", id="npz-empty"),
        pytest.param("w.h5", b"x", ConfigError, r"w\.h5: expected the \.npz, or the \.json", id="suffix"),
        pytest.param("w.json", None, ConfigError, r"w\.json: no such file", id="json-missing"),
        pytest.param("w.json", b"[]", DataError, "has no 'weightsManifest'", id="json-other"),
        pytest.param("w.json", b'{"weightsManifest": [{}]}', DataError, "damaged 'weightsManifest'", id="json-damaged"),
    ],
)
def test_refused_files(tmp_path: Path, name: str, content: bytes | None, error: type[Exception], match: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=match):
        read_weights(tmp_path / name)


def scaled(graph: dict[str, Any]) -> None:
    graph["weightsManifest"][0]["weights"][0]["quantization"] = {"dtype": "uint8", "min": 0, "scale": 1}


def odd_shape(graph: dict[str, Any]) -> None:
    graph["weightsManifest"][0]["weights"][0]["shape"] = ["x"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(lambda g: g["weightsManifest"][0]["weights"].pop(), r"20 bytes, expected 12", id="too-long"),
        pytest.param(
            lambda g: g["weightsManifest"][1]["weights"].append(entry("a/kernel")), "2 bytes, .*cut off", id="too-short"
        ),
        pytest.param(scaled, "is stored as uint8; expected .*, not scaled", id="scaled"),
        pytest.param(odd_shape, "damaged 'weightsManifest'", id="shape"),
    ],
)
def test_refused_graphs(tmp_path: Path, change: Callable[[dict[str, Any]], object], match: str) -> None:
    with pytest.raises(DataError, match=match):
        read_weights(write_tfjs(tmp_path, change))


def test_a_missing_bin_is_named(tmp_path: Path) -> None:
    path = write_tfjs(tmp_path)
    (tmp_path / "w2.bin").unlink()
    with pytest.raises(ConfigError, match=r"w2\.bin: no such file; expected a weights file of w1\.json"):
        read_weights(path)


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", kernel=np.array([1.0, np.inf], np.float16))
    with pytest.raises(DataError, match="'kernel' holds values that are not finite"):
        read_weights(tmp_path / "w.npz")


def test_no_pickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", evil=np.array([{}], object))
    with pytest.raises(DataError, match="cannot be read"):
        read_weights(tmp_path / "w.npz")


def test_both_forms_of_the_real_weights_are_the_same(shared_weights: Path) -> None:
    folder = shared_weights / "movenet_lightning"
    graph = read_weights(folder / "movenet-lightning.json")
    npz = read_weights(folder / "movenet_lightning_v4_float16.npz")
    assert len(graph) == 180
    assert sorted(graph) == sorted(npz)
    for name, array in graph.items():
        np.testing.assert_array_equal(array, npz[name])
