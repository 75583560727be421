from __future__ import annotations

import subprocess
import sys

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.odapi import pipeline_config

pytest.importorskip("object_detection")
pytestmark = pytest.mark.odapi


def test_round_trip() -> None:
    text = 'model { center_net { num_classes: 3 feature_extractor { type: "hourglass_104" } } }'
    message = pipeline_config.parse(text, "x.config")
    assert message.model.center_net.num_classes == 3
    assert pipeline_config.parse(pipeline_config.format(message), "again") == message


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("model { cnter_net { } }", r"x\.config: not a pipeline\.config \(1:9", id="unknown-field"),
        pytest.param("model { center_net {", r"x\.config: not a pipeline\.config \(1:", id="truncated"),
        pytest.param("\x00\x01", r"x\.config: not a pipeline\.config", id="binary"),
    ],
)
def test_bad_text_is_one_clear_error(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        pipeline_config.parse(text, "x.config")


def test_missing_file(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; expected a pipeline\.config"):
        pipeline_config.read(tmp_path / "pipeline.config")


def test_parsing_loads_neither_tensorflow_nor_the_slow_protobuf(repository) -> None:
    code = (
        "import sys\n"
        "from kpt_tools.odapi import pipeline_config as p\n"
        "p.parse('model { center_net { num_classes: 1 } }', 'x')\n"
        "from google.protobuf.internal import api_implementation\n"
        "print('tensorflow' in sys.modules, api_implementation.Type())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=repository,
        env={"PYTHONPATH": str(repository)},
    )
    assert done.stdout.split() == ["False", "upb"], done.stderr
