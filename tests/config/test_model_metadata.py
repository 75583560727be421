from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kpt_tools.config.model_metadata import (
    FILE_NAME,
    metadata_from_dict,
    metadata_to_dict,
    read_metadata,
    write_metadata,
)
from kpt_tools.entities import KeypointLabel, LabelMap, LabelMapItem, ModelMetadata
from kpt_tools.errors import ConfigError, DataError


def metadata() -> ModelMetadata:
    items = (
        LabelMapItem(1, "plier", (KeypointLabel(0, "plier_left", "left"), KeypointLabel(1, "plier_right", "right"))),
        LabelMapItem(2, "bolt"),
        LabelMapItem(3, "Tüte", (KeypointLabel(2, "rim", "rim"),)),
    )
    return ModelMetadata(LabelMap(items), ((0, 1),), (0.05, 0.05, 0.1), ((0, 1),), (512, 384))


def test_round_trip(tmp_path: Path) -> None:
    path = write_metadata(tmp_path, metadata())
    assert path == tmp_path / FILE_NAME
    assert read_metadata(tmp_path) == metadata()
    assert "Tüte" in path.read_text(encoding="utf-8")


def test_round_trip_of_boxes_only(tmp_path: Path) -> None:
    boxes = ModelMetadata(LabelMap((LabelMapItem(1, "bolt"),)), input_hw=(256, 256))
    write_metadata(tmp_path, boxes)
    assert read_metadata(tmp_path) == boxes


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kpt_tools\.json: no such file; expected a model description"):
        read_metadata(tmp_path)


def edit(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda raw: raw.update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(edit("format", "kpt-tools-model/2"), "format is 'kpt-tools-model/2'; expected", id="version"),
        pytest.param(lambda raw: raw.pop("sigmas"), "missing or unknown keys: sigmas", id="missing"),
        pytest.param(edit("colour", 1), "missing or unknown keys: colour", id="unknown"),
        pytest.param(edit("skeleton", [[0, 3]]), "skeleton or flip pairs name a keypoint outside 0..2", id="edge"),
        pytest.param(edit("flip_pairs", [[-1, 0]]), "skeleton or flip pairs name", id="flip"),
        pytest.param(edit("sigmas", [0.1]), "1 sigmas; expected 3", id="sigma count"),
        pytest.param(edit("sigmas", [0.1, 0.0, 0.1]), "sigmas must be greater than 0", id="sigma zero"),
        pytest.param(edit("classes", []), "class ids are", id="no classes"),
        pytest.param(edit("classes", [{"id": 2, "name": "a", "keypoints": []}]), "class ids are", id="class ids"),
        pytest.param(edit("input_hw", [512]), "damaged model description", id="input size"),
        pytest.param(edit("classes", [{"id": 1}]), "damaged model description", id="class without name"),
    ],
)
def test_rejects(change: Callable[[dict[str, Any]], None], message: str) -> None:
    raw = json.loads(json.dumps(metadata_to_dict(metadata())))
    change(raw)
    with pytest.raises(DataError, match=message):
        metadata_from_dict(raw, "kpt_tools.json")


def test_rejects_a_list() -> None:
    with pytest.raises(DataError, match="format is 'list'"):
        metadata_from_dict([], "kpt_tools.json")


def test_never_writes_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="skeleton or flip pairs"):
        write_metadata(tmp_path, replace(metadata(), skeleton=((0, 9),)))
    assert list(tmp_path.iterdir()) == []
