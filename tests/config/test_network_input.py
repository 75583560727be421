from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kpt_tools.config.network_input import NetworkInput, read_network_input, write_network_input
from kpt_tools.errors import ConfigError, DataError


@pytest.mark.parametrize(
    "value",
    [
        NetworkInput((256, 256), 256),
        NetworkInput((512, 512), 384, (123.0, 116.5, 104.0), clip_keypoints=True),
        NetworkInput((192, 320)),
    ],
    ids=["keep-aspect", "everything", "stretched"],
)
def test_round_trip(tmp_path: Path, value: NetworkInput) -> None:
    model = tmp_path / "onnx" / "model_float32.onnx"
    written = write_network_input(model, value)
    assert written == tmp_path / "onnx" / "model_float32.json"
    assert read_network_input(model) == value


def test_no_description(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.json: no such file; expected a description of the input"):
        read_network_input(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "kpt-tools-network-input/2"}, r"format is 'kpt-tools-network-input/2'; expected .*/1"),
        ({"input_hw": [256]}, "damaged description"),
        ({"input_hw": [0, 256]}, "damaged description"),
        ({"input_hw": [256, 512], "min_side": 256}, "damaged description"),
        ({"min_side": 300}, "damaged description"),
        ({"pad_rgb": [0, 0]}, "damaged description"),
        ({"min_side": "wide"}, "damaged description"),
    ],
    ids=["version", "one-side", "no-height", "no-square", "min-larger-than-max", "two-colours", "no-number"],
)
def test_refused(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    model = tmp_path / "model.onnx"
    path = write_network_input(model, NetworkInput((256, 256), 256))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=match):
        read_network_input(model)


def test_a_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("[]")
    with pytest.raises(DataError, match="format is 'list'"):
        read_network_input(tmp_path / "model.onnx")
