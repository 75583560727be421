"""The registry of networks: the document's exact size, shapes of all answers, and what is refused."""

import numpy as np
import pytest

from kpt_tools.config.heatmap import MODELS, TARGETS
from kpt_tools.errors import ConfigError
from kpt_tools.heatmap.networks import NETWORKS, SIGMA_OF_TARGET, build, output_px
from tests.heatmap_factories import spec

ABLE = [(model, target) for model, network in NETWORKS.items() for target in network.targets]


def own_spec(model: str, target: str, size: int = 64):
    return spec(model=model, target=target, input_px=size, output_px=output_px(model, target, size))


def test_the_registry_has_what_the_settings_name() -> None:
    assert tuple(NETWORKS) == MODELS
    assert set(SIGMA_OF_TARGET) == set(TARGETS)
    assert {target for _, target in ABLE} == set(TARGETS)


@pytest.mark.odapi
def test_the_document_s_network_has_exactly_its_parameters() -> None:
    model = build(own_spec("fcn", "circle"))
    assert model.count_params() == 5_530_880
    convolutions = [(layer.filters, layer.kernel_size) for layer in model.layers if hasattr(layer, "filters")]
    assert convolutions == [
        (64, (3, 3)),
        (64, (3, 3)),
        (128, (3, 3)),
        (128, (3, 3)),
        (160, (16, 16)),
        (160, (1, 1)),
        (3, (2, 2)),
    ]
    assert not model.layers[-1].use_bias
    assert model.output_shape == {"heatmaps": (None, 64, 64, 3)}


@pytest.mark.odapi
@pytest.mark.parametrize(("model", "target"), ABLE, ids=lambda value: value)
def test_every_network_answers_in_the_shape_of_its_target(model: str, target: str) -> None:
    own = own_spec(model, target)
    outputs = build(own)(np.zeros((2, 64, 64, 3), np.float32), training=False)
    shape = {
        "simcc": (2, 3, 2, 128),
        "points": (2, 3, 2),
    }.get(target, (2, own.output_px, own.output_px, 3))
    assert {tuple(value.shape) for value in outputs.values()} == {shape}
    assert set(outputs) == ({"heatmaps", "heatmaps_1"} if model == "hourglass" else {next(iter(outputs))})


@pytest.mark.parametrize(
    ("model", "target", "size", "message"),
    [
        pytest.param("unet", "simcc", 64, "network 'unet' cannot; it can gaussian, circle, softargmax", id="target"),
        pytest.param("direct", "gaussian", 64, "it can points", id="direct"),
        pytest.param("mobile", "gaussian", 100, "--size 100: network 'mobile' needs a multiple of 32", id="size"),
    ],
)
def test_what_cannot_be_is_refused(model: str, target: str, size: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        output_px(model, target, size)


@pytest.mark.odapi
def test_a_spec_whose_output_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="output_px 32 does not fit an input of 64 px"):
        build(spec(output_px=32))
