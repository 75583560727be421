from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("platformdirs")

from kpt_tools.inference import openvino_cache
from kpt_tools.inference.openvino_cache import cache_hints

HINTS = {"NUM_STREAMS": "2"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *names, **options: folder)
    return folder


def model(folder: Path, graph: str = "graph", weights: str = "weights") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "model.xml"
    path.write_text(graph)
    path.with_suffix(".bin").write_text(weights)
    os.utime(path, (1, 1))
    return path


def test_a_folder_belongs_to_contents_and_hints(tmp_path: Path, cache: Path) -> None:
    """Another model may have the path, the size and the time of an earlier one."""
    first = cache_hints(model(tmp_path / "a"), HINTS)
    assert Path(first["CACHE_DIR"]).parent == cache / "openvino"
    assert Path(first["CACHE_DIR"]).is_dir()
    assert cache_hints(model(tmp_path / "b"), HINTS) == first, "wherever it lies"
    others = [
        cache_hints(model(tmp_path / "a", graph="grapH"), HINTS),
        cache_hints(model(tmp_path / "a", weights="weightS"), HINTS),
        cache_hints(model(tmp_path / "a"), {"NUM_STREAMS": "1"}),
    ]
    assert len({first["CACHE_DIR"], *(hints["CACHE_DIR"] for hints in others)}) == 4


def test_weights_of_large_models_are_not_read_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_cache, "LARGEST", 6)
    assert cache_hints(model(tmp_path / "a"), HINTS) == {}


def test_nothing_is_kept_where_nothing_can_be_written(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file")
    assert cache_hints(model(tmp_path / "a"), HINTS) == {}
    assert cache_hints(tmp_path / "no.xml", HINTS) == {}
