from __future__ import annotations

import json
import os

import pytest

from kpt_tools.odapi import precision, precision_trial

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")
pytestmark = pytest.mark.odapi


@pytest.fixture(autouse=True)
def _float32_afterwards():
    yield
    precision.apply_precision(precision.FLOAT32)


def settled(capsys: pytest.CaptureFixture[str], wanted: str) -> dict[str, object]:
    precision_trial.settle(wanted)
    return json.loads(capsys.readouterr().out.removeprefix("@kpt-event "))


@pytest.mark.parametrize("wanted", [precision.FLOAT32, precision.BFLOAT16])
def test_what_is_asked_for_is_taken(capsys: pytest.CaptureFixture[str], wanted: str) -> None:
    assert settled(capsys, wanted) == {"kind": "precision", "precision": wanted, "speedup": None}
    assert precision.is_bfloat16() == (wanted == precision.BFLOAT16)


@pytest.mark.parametrize(
    ("speedup", "chosen"),
    [
        pytest.param(1.6, precision.BFLOAT16, id="faster"),
        pytest.param(1.05, precision.FLOAT32, id="hardly-faster"),
        pytest.param(0.2, precision.FLOAT32, id="emulated"),
    ],
)
def test_auto_is_what_is_faster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], speedup: float, chosen: str
) -> None:
    monkeypatch.setattr(precision_trial, "cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(precision_trial, "trial", lambda: speedup)
    assert settled(capsys, precision.AUTO) == {"kind": "precision", "precision": chosen, "speedup": speedup}
    assert precision.is_bfloat16() == (chosen == precision.BFLOAT16)


def test_a_cpu_without_the_instructions_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision_trial, "cpu_has_bfloat16", lambda: False)
    assert settled(capsys, precision.AUTO)["precision"] == precision.FLOAT32
    assert not precision.is_bfloat16()


def test_the_trial_measures_both() -> None:
    speedup = precision_trial.trial()
    assert 0.01 < speedup < 100
    if precision.cpu_has_bfloat16():
        assert speedup > 0.8, "these instructions exist to be faster"
    layer = tf.keras.layers.Conv2D(1, 1)
    assert layer.name == "conv2d", "names are as without a trial"


def test_gradients_of_depthwise_layers_join_until_a_precision_is_set_again() -> None:
    precision.apply_precision(precision.BFLOAT16)
    assert os.environ[precision._NOT_IN_BFLOAT16] == "DepthwiseConv2dNativeBackpropInput"
    precision.depthwise_gradients_in_bfloat16()
    assert precision._NOT_IN_BFLOAT16 not in os.environ
    precision.apply_precision(precision.BFLOAT16)
    assert precision._NOT_IN_BFLOAT16 in os.environ
