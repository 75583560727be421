"""The description of a heatmap model."""

import json

import pytest

from kpt_tools.config.heatmap import DECODINGS, TARGETS
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.heatmap.spec import DECODING_OF_TARGET, FILE_NAME, read_spec, write_spec
from tests.heatmap_factories import spec


def test_round_trip(tmp_path) -> None:
    write_spec(tmp_path, spec(region="both"))
    assert read_spec(tmp_path) == spec(region="both")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param({"format": "x"}, DataError, "not a description of format", id="format"),
        pytest.param({"modle": 1}, ConfigError, "unknown setting 'modle'; did you mean 'model'", id="unknown"),
        pytest.param({"target": "square"}, DataError, "target is 'square'; expected one of gaussian", id="target"),
        pytest.param({"input_px": 0}, DataError, "are to be whole numbers above 0", id="size"),
    ],
)
def test_wrong_files_are_refused(tmp_path, changes, error, message) -> None:
    path = write_spec(tmp_path, spec())
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(error, match=message):
        read_spec(tmp_path)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=f"{FILE_NAME}: no such file; expected a description of a heatmap model"):
        read_spec(tmp_path)


def test_every_target_has_a_decoding_that_is_possible() -> None:
    assert set(DECODING_OF_TARGET) == set(TARGETS)
    for target in TARGETS:
        assert spec(target=target).decoding in spec(target=target).decodings
    assert spec(target="points").decodings == ("none",)
    assert spec().decodings == DECODINGS


@pytest.mark.parametrize(("region", "needs"), [("whole", False), ("both", False), ("points", True), ("document", True)])
def test_only_models_of_crops_need_points(region: str, needs: bool) -> None:
    assert spec(region=region).needs_points is needs


def test_the_peak_of_a_certain_point() -> None:
    assert spec().peak == 1.0
    assert spec(target="softargmax", sigma=1.0).peak == pytest.approx(0.159155, abs=1e-6)
