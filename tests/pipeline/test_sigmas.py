"""OKS sigmas and heatmap widths per slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kpt_tools.entities import Category, LabelMap
from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.pipeline.sigmas import read_sigmas, sigmas_of, std_of


def two_classes() -> LabelMap:
    return label_map_of([Category(1, "cat", ("nose", "tail")), Category(2, "box"), Category(3, "dog", ("nose",))])


@pytest.mark.parametrize(
    ("value", "sigmas"),
    [
        pytest.param(0.05, (0.05, 0.05, 0.05), id="number"),
        pytest.param([0.1, 0.2, 0.3], (0.1, 0.2, 0.3), id="list"),
        pytest.param({"nose": 0.1}, (0.1, 0.05, 0.1), id="name-in-both-classes"),
        pytest.param({"nose": 0.1, "dog_nose": 0.2}, (0.1, 0.05, 0.2), id="label-before-name"),
        pytest.param({"cat": {"tail": 0.1}, "dog": [0.2]}, (0.05, 0.1, 0.2), id="by-class"),
        pytest.param({}, (0.05, 0.05, 0.05), id="empty"),
    ],
)
def test_forms(value: Any, sigmas: tuple[float, ...]) -> None:
    assert sigmas_of(value, two_classes(), "s.json") == sigmas


@pytest.mark.parametrize(
    ("value", "match"),
    [
        pytest.param(5, "s.json: sigma is 5; expected above 0 and at most 0.5", id="the-guides-five"),
        pytest.param(0, "sigma is 0", id="zero"),
        pytest.param(True, "sigma is True", id="bool"),
        pytest.param("0.05", "sigma is '0.05'", id="text"),
        pytest.param(None, "sigma is None", id="null"),
        pytest.param([0.1], "1 sigmas; expected 3", id="short-list"),
        pytest.param([0.1, 0.1, -1], "number 3: sigma is -1", id="list-value"),
        pytest.param({"nsoe": 0.1}, "no keypoint 'nsoe'; did you mean 'nose'", id="unknown-keypoint"),
        pytest.param({"cta": {"nose": 0.1}}, "no class 'cta'; did you mean 'cat'", id="unknown-class"),
        pytest.param({"cat": {"ear": 0.1}}, "class 'cat': the label map has no keypoint 'ear'", id="unknown-in-class"),
        pytest.param({"cat": [0.1]}, "class 'cat': 1 sigmas; expected 2", id="short-list-in-class"),
    ],
)
def test_refused(value: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        sigmas_of(value, two_classes(), "s.json")


@pytest.mark.parametrize(("sigma", "std"), [(0.025, 1.0), (0.05, 1.0), (0.107, 1.07), (0.15, 1.5), (0.5, 2.0)])
def test_heatmap_width(sigma: float, std: float) -> None:
    assert std_of(sigma) == std


def test_an_option_is_a_number_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sigmas.json"
    path.write_text('{"nose": 0.1}')
    assert read_sigmas("0.07", two_classes()) == (0.07, 0.07, 0.07)
    assert read_sigmas(str(path), two_classes()) == (0.1, 0.05, 0.1)
    with pytest.raises(ConfigError, match="no such file; expected a JSON file of OKS sigmas, or a number"):
        read_sigmas("0,07", two_classes())
    with pytest.raises(ConfigError, match="--sigmas 5: sigma is 5; expected above 0 and at most"):
        read_sigmas("5", two_classes())
