from __future__ import annotations

import pytest

from kpt_tools.odapi import pipeline_config, training_memory

pytest.importorskip("object_detection")

SQUARE = "fixed_shape_resizer {{ height: {0} width: {0} }}"
LETTERBOX = "keep_aspect_ratio_resizer {{ min_dimension: {0} max_dimension: {0} }}"


def needs(extractor: str, side: int = 512, resizer: str = SQUARE) -> training_memory.Needs:
    size = resizer.format(side)
    text = f'model {{ center_net {{ feature_extractor {{ type: "{extractor}" }} image_resizer {{ {size} }} }} }}'
    return training_memory.needs_of(pipeline_config.parse(text, "pipeline.config"))


@pytest.mark.parametrize(
    ("extractor", "side", "batch_size", "measured_gb"),
    [
        pytest.param("hourglass_104", 512, 1, 5.7, id="hourglass-104"),
        pytest.param("resnet_v1_50_fpn", 512, 1, 2.0, id="resnet-50"),
        pytest.param("mobilenet_v2_fpn", 512, 1, 1.5, id="mobilenet"),
        pytest.param("mobilenet_v2_fpn", 256, 8, 2.7, id="mobilenet-256-batch-8"),
    ],
)
def test_estimates_are_within_a_third_of_what_was_measured(
    extractor: str, side: int, batch_size: int, measured_gb: float
) -> None:
    assert needs(extractor, side).memory(batch_size) / 1e9 == pytest.approx(measured_gb, rel=1 / 3)


@pytest.mark.parametrize(
    ("extractor", "side", "batch_size", "measured_gb"),
    [
        pytest.param("mobilenet_v2_fpn", 256, 2, 1.390, id="mobilenet-256-batch-2"),
        pytest.param("mobilenet_v2_fpn", 256, 16, 2.273, id="mobilenet-256-batch-16"),
        pytest.param("resnet_v1_50_fpn", 512, 2, 2.367, id="resnet-50-batch-2"),
        pytest.param("hourglass_104", 512, 1, 5.585, id="hourglass-104"),
    ],
)
def test_estimates_are_not_below_what_the_benchmark_measured(
    extractor: str, side: int, batch_size: int, measured_gb: float
) -> None:
    assert needs(extractor, side).memory(batch_size) / 1e9 >= measured_gb


def test_images_take_memory_by_their_area_whatever_the_resizer() -> None:
    assert needs("hourglass_20", 256).per_image == pytest.approx(needs("hourglass_20", 512).per_image / 4)
    assert needs("hourglass_20", 256, LETTERBOX) == needs("hourglass_20", 256)


def test_an_unknown_extractor_counts_as_a_large_one() -> None:
    assert needs("something_new").parameters == 50e6


def test_disk_holds_five_checkpoints() -> None:
    assert needs("hourglass_104").disk == pytest.approx(5 * 12 * 194.8e6)
