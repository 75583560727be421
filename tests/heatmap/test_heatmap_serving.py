"""A saved model answers what the model answers, and says what is wrong with other folders."""

import numpy as np
import pytest

from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.heatmap.networks import build, output_px
from kpt_tools.heatmap.serving import (
    HeatmapSavedModel,
    decode_answer,
    is_heatmap_model,
    save_model,
    save_one_by_one,
    served,
)
from kpt_tools.heatmap.spec import write_spec
from kpt_tools.heatmap.targets import gaussian_heatmaps, normalised
from tests.heatmap.test_finder import metadata
from tests.heatmap_factories import spec

IMAGES = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)


def saved(folder, target: str):
    own = spec(target=target, output_px=output_px("mobile", target, 64))
    model = build(own)
    save_model(model, own, folder)
    write_spec(folder, own)
    write_metadata(folder, metadata())
    return model, own


@pytest.mark.odapi
@pytest.mark.parametrize("target", ["softargmax", "simcc"])
def test_the_saved_model_answers_what_the_model_answers(tmp_path, target: str) -> None:
    model, own = saved(tmp_path, target)
    engine = HeatmapSavedModel(tmp_path)
    assert (engine.spec, engine.metadata) == (own, metadata())
    ((name, answer),) = engine.run(IMAGES).items()
    assert answer == pytest.approx(served(model, own, IMAGES)[name].numpy(), abs=1e-5)
    assert answer.sum(axis=(1, 2) if target == "softargmax" else -1) == pytest.approx(1.0, abs=1e-4)
    one = save_one_by_one(tmp_path, tmp_path / "one")
    assert (one / "saved_model.pb").is_file()


@pytest.mark.odapi
def test_views_of_another_size_are_refused(tmp_path) -> None:
    saved(tmp_path, "gaussian")
    with pytest.raises(ValueError, match=r"expected \[N, 64, 64, 3\] uint8, got \[2, 32, 32, 3\] uint8"):
        HeatmapSavedModel(tmp_path).run(IMAGES[:, :32, :32])


@pytest.mark.odapi
def test_a_damaged_model_is_one_clear_error(tmp_path) -> None:
    saved(tmp_path, "gaussian")
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="TensorFlow cannot load it"):
        HeatmapSavedModel(tmp_path)


def test_other_folders_are_no_heatmap_models(tmp_path) -> None:
    assert not is_heatmap_model(tmp_path)
    with pytest.raises(ConfigError, match=r"no heatmap model; expected heatmap\.json and saved_model"):
        HeatmapSavedModel(tmp_path)


def test_scores_are_relative_to_a_certain_point() -> None:
    points = np.array([[20.0, 24.0], [40.0, 22.0], [30.0, 44.0]])
    maps = gaussian_heatmaps(points / 4, (16, 16), 1.0)
    own = spec(target="softargmax", sigma=1.0)
    ((found, scores),) = decode_answer({"heatmaps": normalised(maps)[np.newaxis]}, own, "average")
    assert found == pytest.approx(points, abs=0.3)
    assert scores.min() > 0.7
    blurred = np.full((1, 16, 16, 3), 1 / 256)
    assert decode_answer({"heatmaps": blurred}, own, None)[0][1].max() < 0.05


def test_coordinates_have_no_score_of_their_own() -> None:
    ((found, scores),) = decode_answer({"points": np.full((1, 3, 2), 0.25)}, spec(target="points"), "argmax")
    assert found.tolist() == [[16, 16]] * 3
    assert scores.tolist() == [1, 1, 1]
