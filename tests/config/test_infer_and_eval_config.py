from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kpt_tools.config.base import from_dict
from kpt_tools.config.eval import EvalConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError


def test_defaults_are_accepted() -> None:
    assert InferConfig().min_score == 0.3
    assert EvalConfig().min_score == 0.0


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (InferConfig, {"min_score": 1.5}, "min_score is 1.5; expected a number from 0 to 1"),
        (InferConfig, {"min_keypoint_score": -0.1}, "min_keypoint_score is -0.1"),
        (InferConfig, {"max_detections": 0}, "max_detections is 0; expected at least 1"),
        (InferConfig, {"inputs": ()}, "no input given"),
        (InferConfig, {"min_scor": 0.5}, "did you mean 'min_score'"),
        (EvalConfig, {"area": "mask"}, "area is 'mask'; expected one of bbox"),
        (EvalConfig, {"min_score": 2.0}, "min_score is 2.0"),
        (EvalConfig, {"annotations": Path("a.json")}, "--annotations and --images belong together"),
        (EvalConfig, {"images": Path("a")}, "--annotations and --images belong together"),
        (
            EvalConfig,
            {"annotations": Path("a.json"), "images": Path("a"), "records": "*.record"},
            "--records and --annotations both name a truth",
        ),
    ],
)
def test_rejects(cls: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(cls, values)
