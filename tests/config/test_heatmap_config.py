"""Settings of the second road, and its manifest."""

import json

import pytest

from kpt_tools.config.heatmap import (
    RECIPES,
    HeatmapEvalConfig,
    HeatmapExportConfig,
    HeatmapInferConfig,
    HeatmapPrepareConfig,
    HeatmapTrainConfig,
)
from kpt_tools.config.heatmap_manifest import FILE_NAME, HeatmapData, HeatmapSide, read_data
from kpt_tools.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HeatmapPrepareConfig("x", split="random"), "--split is 'random'; expected one of groups, in-order"),
        (lambda: HeatmapPrepareConfig("x", val=0), "--val is 0; training needs pictures"),
        (lambda: HeatmapPrepareConfig("x", test=1.5), "--test is 1.5"),
        (lambda: HeatmapPrepareConfig("x", patch_px=8), "--patch-px is 8; expected at least 32"),
        (lambda: HeatmapTrainConfig(model="vgg"), "--model is 'vgg'; expected one of fcn"),
        (lambda: HeatmapTrainConfig(recipe="best"), "--recipe is 'best'"),
        (lambda: HeatmapTrainConfig(rotate_deg=200), "--rotate-deg is 200; expected 0 to 180"),
        (lambda: HeatmapTrainConfig(flip=-0.5), "--flip is -0.5; expected 0 to 1"),
        (lambda: HeatmapTrainConfig(batch_size=0), "--batch-size is 0; expected more than 0"),
        (lambda: HeatmapEvalConfig(side="all"), "--side is 'all'"),
        (lambda: HeatmapEvalConfig(decoding="peak"), "--decoding is 'peak'"),
        (lambda: HeatmapInferConfig(min_score=2.0), "min_score is 2.0"),
        (lambda: HeatmapInferConfig(inputs=()), "no input given"),
        (lambda: HeatmapExportConfig(formats=("coreml",)), "--format is 'coreml'"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_settings_that_cannot_be_meant_are_refused(make, message) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_document_s_recipe_is_the_document_s() -> None:
    recipe = RECIPES["document"]
    assert (recipe.model, recipe.optimizer, recipe.loss, recipe.epochs) == ("fcn", "rmsprop", "mse", 30)
    assert (recipe.shift, recipe.zoom, recipe.flip, recipe.rotate_deg, recipe.colour) == (0.1, 0.2, 0.5, 0.0, 0.0)


def manifest() -> HeatmapData:
    side = HeatmapSide({"train.record-00000-of-00001": "0" * 64}, 3, 4, 12)
    return HeatmapData("picture", {"train": side}, {"path": "cats"})


def test_the_manifest_makes_a_round_trip(tmp_path) -> None:
    manifest().write(tmp_path)
    assert read_data(tmp_path) == manifest()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param({"format": "kpt-tools-records/1"}, DataError, "not a manifest of format", id="another"),
        pytest.param({"sides": {"train": 3}}, DataError, "damaged manifest", id="damaged"),
        pytest.param({"whole": "face"}, DataError, "'whole' is 'face'", id="whole"),
    ],
)
def test_wrong_manifests_are_refused(tmp_path, changes, error, message) -> None:
    path = manifest().write(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(error, match=message):
        read_data(tmp_path)


def test_shards_that_are_gone_and_sides_that_never_were(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"train\.record-00000-of-00001: is gone"):
        manifest().files(tmp_path, "train")
    with pytest.raises(ConfigError, match="no side 'test'; it has train"):
        manifest().files(tmp_path, "test")
    with pytest.raises(ConfigError, match=f"{FILE_NAME}: no such file; expected a manifest of patches"):
        read_data(tmp_path)
