from __future__ import annotations

import json
import os

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.odapi import precision, precision_trial

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tf_keras")
pytestmark = pytest.mark.odapi


@pytest.fixture(autouse=True)
def _float32_afterwards():
    yield
    precision.apply_precision(precision.FLOAT32)
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were a GPU; the policy that is set there works on a CPU, too."""
    monkeypatch.setattr(precision, "has_gpu", lambda: True)
    monkeypatch.setattr(precision_trial, "has_gpu", lambda: True)


def policy() -> str:
    return str(tf.keras.mixed_precision.global_policy().name)


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
    monkeypatch.setattr(precision_trial, "trial", lambda low: speedup)
    told = {"kind": "precision", "precision": chosen, "speedup": speedup, "tried": precision.BFLOAT16}
    assert settled(capsys, precision.AUTO) == told
    assert precision.is_bfloat16() == (chosen == precision.BFLOAT16)


def test_a_cpu_without_the_instructions_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision_trial, "cpu_has_bfloat16", lambda: False)
    assert settled(capsys, precision.AUTO)["precision"] == precision.FLOAT32
    assert not precision.is_bfloat16()


def test_the_trial_measures_both() -> None:
    speedup = precision_trial.trial(precision.BFLOAT16)
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


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("capabilities", "speedup", "chosen", "tried"),
    [
        pytest.param([(9, 0)], 1.8, precision.BFLOAT16, precision.BFLOAT16, id="faster"),
        pytest.param([(8, 0)], 1.0, precision.FLOAT32, precision.BFLOAT16, id="not-faster"),
        pytest.param([(7, 5)], 1.8, precision.FLOAT16, precision.FLOAT16, id="older-gpu"),
        pytest.param([(7, 0)], 1.0, precision.FLOAT32, precision.FLOAT16, id="older-gpu-not-faster"),
        pytest.param([(9, 0), (7, 0)], 1.8, precision.FLOAT16, precision.FLOAT16, id="two-of-different-age"),
        pytest.param([(6, 1)], 1.8, precision.FLOAT32, None, id="much-older-gpu"),
        pytest.param([None], 1.8, precision.FLOAT32, None, id="unknown-gpu"),
    ],
)
def test_auto_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    capabilities: list[tuple[int, int] | None],
    speedup: float,
    chosen: str,
    tried: str | None,
) -> None:
    details = [{} if one is None else {"compute_capability": one} for one in capabilities]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: range(len(details)))
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)
    monkeypatch.setattr(precision_trial, "trial", lambda low: speedup)
    event = settled(capsys, precision.AUTO)
    assert (event["precision"], event["speedup"]) == (chosen, speedup if tried else None)
    assert event.get("tried") == tried
    assert policy() == ("float32" if chosen == precision.FLOAT32 else f"mixed_{chosen}")
    assert precision.is_float16() == (chosen == precision.FLOAT16)
    assert not precision.is_bfloat16(), "that is the CPU's"


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("low", [precision.BFLOAT16, precision.FLOAT16])
def test_the_trial_on_a_gpu_measures_layers_of_both_policies(low: str) -> None:
    assert 0.001 < precision_trial.trial(low) < 1000
    precision.apply_to_device(low)
    layer = tf.keras.layers.Conv2D(1, 1)
    assert (layer.compute_dtype, layer.variable_dtype, layer.name) == (low, "float32", "conv2d")


def test_without_a_gpu_no_policy_is_set() -> None:
    precision.apply_to_device(precision.BFLOAT16)
    assert policy() == "float32"
    assert precision.is_bfloat16()


def test_without_a_gpu_float16_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--precision float16, but TensorFlow found no GPU"):
        precision_trial.settle(precision.FLOAT16)
    assert capsys.readouterr().out == "", "nothing was settled"


@pytest.mark.parametrize(("on_gpu", "wanted"), [(True, precision.FLOAT32), (False, precision.BFLOAT16)])
def test_workers_choose_without_a_trial(monkeypatch: pytest.MonkeyPatch, on_gpu: bool, wanted: str) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    assert precision.resolve(precision.AUTO, on_gpu=on_gpu) == wanted
