"""The second road from end to end, on made-up cats."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from kpt_tools.config.heatmap import (
    HeatmapEvalConfig,
    HeatmapExportConfig,
    HeatmapInferConfig,
    HeatmapPrepareConfig,
    HeatmapTrainConfig,
    Recipe,
)
from kpt_tools.errors import ConfigError
from kpt_tools.metrics.parity import Comparison
from kpt_tools.stages.heatmap_eval import heatmap_eval
from kpt_tools.stages.heatmap_export import heatmap_export
from kpt_tools.stages.heatmap_infer import heatmap_infer
from kpt_tools.stages.heatmap_job import fitted_to, job_of, resolved_recipe
from kpt_tools.stages.heatmap_measure import END_TO_END, TRUE_BOX, TRUE_CROP
from kpt_tools.stages.heatmap_prepare import heatmap_prepare
from kpt_tools.stages.heatmap_train import heatmap_train
from tests.heatmap_factories import cat_folder

SETTINGS = {"model": "mobile", "target": "softargmax", "region": "both", "size": 64, "batch_size": 8, "epochs": 14}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Pictures, patches, and a training that was stopped after its first epoch and went on."""
    root = tmp_path_factory.mktemp("heatmap")
    cat_folder(root / "cats", 90)
    heatmap_prepare(HeatmapPrepareConfig(root / "cats", out=root / "data", workers=1))
    config = HeatmapTrainConfig(data=root / "data", run=root / "run", **SETTINGS)
    events: list[dict] = []

    def stop_after_first_epoch(event: dict) -> None:
        events.append(event)
        if event["kind"] == "epoch":
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    first = heatmap_train(config, stop_after_first_epoch)
    second = heatmap_train(config, events.append)
    return root, config, first, second, events


@pytest.mark.odapi
@pytest.mark.slow
def test_a_training_stops_and_goes_on(project) -> None:
    root, config, first, second, events = project
    assert first.interrupted
    assert 1 <= first.epochs < 14
    assert not second.interrupted
    assert (second.epochs, second.export) == (14, root / "run" / "export")
    assert any(event["kind"] == "resumed" for event in events)
    rows = list(csv.DictReader((root / "run" / "results.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 15))
    assert float(rows[-1]["val_error"]) < 0.5 * float(rows[0]["val_error"])
    assert (root / "run" / "curves.png").stat().st_size > 5000
    third = heatmap_train(config)
    assert third == type(third)(**{**second.__dict__, "parameters": None})


@pytest.mark.odapi
@pytest.mark.slow
def test_other_settings_need_another_run(project) -> None:
    _, config, *_ = project
    with pytest.raises(ConfigError, match=r"holds a training with other settings \(job.json\)"):
        heatmap_train(HeatmapTrainConfig(**{**config.__dict__, "epochs": 15}))


@pytest.mark.odapi
@pytest.mark.slow
def test_it_is_measured_in_three_ways(project) -> None:
    root, *_ = project
    result = heatmap_eval(HeatmapEvalConfig(model=root / "run", data=root / "data"))
    assert result.objects == 18
    assert {(row.mode, row.decoding) for row in result.rows} == {
        (mode, decoding)
        for mode in (END_TO_END, TRUE_BOX, TRUE_CROP)
        for decoding in ("argmax", "average", "around-peak", "taylor")
    }
    crop, whole = result.row(TRUE_CROP), result.row(END_TO_END)
    assert crop is not None
    assert whole is not None
    assert crop.nme.mean is not None
    assert crop.nme.mean < 0.25
    assert crop.errors.labelled == whole.errors.labelled == 54
    stored = json.loads((root / "run" / "eval" / "eval.json").read_text())
    assert stored["rows"][0]["nme"]["objects"] == 18
    assert (root / "run" / "eval" / "predictions.jpg").stat().st_size > 10_000


@pytest.mark.odapi
@pytest.mark.slow
def test_points_in_pixels_of_the_pictures(project) -> None:
    root, *_ = project
    result = heatmap_infer(HeatmapInferConfig((str(root / "cats"),), model=root / "run", out=root / "found"))
    assert (result.images, result.detections, result.lost) == (90, {"cat": 90}, ())
    rows = json.loads((root / "found" / "predictions.json").read_text())
    errors = []
    for row in rows:
        truth = np.array((root / "cats" / f"{row['file_name']}.cat").read_text().split()[1:7], float).reshape(3, 2)
        found = np.array(row["keypoints"]).reshape(3, 3)[:, :2]
        errors.append(np.hypot(*(found - truth).T).mean() / np.hypot(*(truth[0] - truth[1])))
    assert np.median(errors) < 0.35
    header, *table = (root / "found" / "predictions.csv").read_text().splitlines()
    assert header.endswith("left_eye_x,left_eye_y,left_eye_score,right_eye_x,right_eye_y,right_eye_score,"
                           "mouth_x,mouth_y,mouth_score")  # fmt: skip
    assert len(table) == 90
    assert len(list((root / "found" / "pictures").glob("*.jpg"))) == 90
    assert "heatmap" in json.loads((root / "found" / "run.json").read_text())


@pytest.mark.odapi
@pytest.mark.slow
def test_boxes_of_another_model_are_looked_into(project) -> None:
    root, *_ = project
    names = sorted(path.name for path in (root / "cats").glob("*.jpg"))[:3]
    rows = []
    for name in names:
        points = np.array((root / "cats" / f"{name}.cat").read_text().split()[1:], float).reshape(9, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        rows += [{"file_name": name, "category_name": "head", "bbox": [*low, *(high - low)], "score": 0.75}]
    boxes = root / "boxes.json"
    boxes.write_text(json.dumps([*rows, {**rows[0], "score": 0.1}]))
    inputs = tuple(str(root / "cats" / name) for name in [*names, "00000029_089.jpg"])
    config = HeatmapInferConfig(inputs, model=root / "run", out=root / "chained", boxes=boxes, no_images=True)
    result = heatmap_infer(config)
    assert (result.detections, result.empty) == ({"cat": 3}, 1)
    found = json.loads((root / "chained" / "predictions.json").read_text())
    assert [row["score"] for row in found] == [0.75] * 3
    assert found[1]["bbox"] == pytest.approx(rows[1]["bbox"], abs=0.01)


@pytest.mark.odapi
@pytest.mark.slow
def test_other_formats_find_what_the_saved_model_finds(project) -> None:
    for package in ("ai_edge_litert", "tf2onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    root, *_ = project
    result = heatmap_export(HeatmapExportConfig(root / "run", out=root / "exported", formats=("tflite", "onnx")))
    assert all(path.is_file() for path in result.files.values())
    assert set(result.files) == {"saved_model", "tflite", "onnx"}
    for comparison in result.parity.values():
        check_parity(comparison)
    assert json.loads((root / "exported" / "parity.json").read_text())["tflite"]["images"] == 18


def check_parity(comparison: Comparison) -> None:
    assert comparison.images == 18
    assert comparison.matched == comparison.detections > 0
    assert comparison.keypoint_px.largest is not None
    assert comparison.keypoint_px.largest < 0.01


@pytest.mark.odapi
@pytest.mark.slow
def test_both_roads_live_in_one_process() -> None:
    """The OD API's layer is active, its programs are imported, and a heatmap model is built."""
    code = (
        "from kpt_tools.odapi import compat; compat.activate(); import tensorflow as tf;"
        "from object_detection.utils import config_util; from kpt_tools.heatmap.networks import build, output_px;"
        "from tests.heatmap_factories import spec; assert build(spec()).count_params() > 1000; print('built')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False, env={**os.environ}
    )
    assert "built" in done.stdout, done.stderr[-800:]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"model": "unet", "target": "simcc"}, "network 'unet' cannot", id="target"),
        pytest.param({"size": 100}, "needs a multiple of 32", id="size"),
        pytest.param({"recipe": "document", "size": 128}, "the document's crops have 64 px", id="document size"),
        pytest.param({"recipe": "document", "model": "mobile"}, "its heatmaps have 16 px", id="document network"),
        pytest.param({"target": "softargmax", "loss": "awing"}, "'softargmax' has its own", id="loss"),
        pytest.param({"precision": "int8"}, "--precision 'int8'", id="precision"),
        pytest.param({"precision": "float16"}, "--precision 'float16'", id="precision of GPUs"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_starts(tmp_path, settings, message) -> None:
    cat_folder(tmp_path / "cats", 15)
    heatmap_prepare(HeatmapPrepareConfig(tmp_path / "cats", out=tmp_path / "data", workers=1))
    with pytest.raises(ConfigError, match=message):
        heatmap_train(HeatmapTrainConfig(data=tmp_path / "data", run=tmp_path / "run", **settings))
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, ("mobile", "gaussian", "own"), id="default"),
        pytest.param({"model": "direct"}, ("direct", "points", "own"), id="direct answers points"),
        pytest.param({"recipe": "document", "target": "gaussian"}, ("fcn", "gaussian", "own"), id="document, other"),
        pytest.param({"recipe": "document"}, ("fcn", "circle", "mse"), id="document"),
    ],
)
def test_recipes_with_what_is_given_beside_them(settings, expected) -> None:
    recipe = resolved_recipe(HeatmapTrainConfig(**settings))
    assert (recipe.model, recipe.target, recipe.loss) == expected


def test_augmentation_is_as_given_and_else_as_the_recipe_has_it() -> None:
    recipe = resolved_recipe(HeatmapTrainConfig(rotate_deg=180.0, flip=0.0))
    assert (recipe.rotate_deg, recipe.flip) == (180.0, 0.0)
    assert (recipe.shift, recipe.zoom) == (Recipe().shift, Recipe().zoom)


@pytest.mark.parametrize(
    ("objects", "epochs"),
    [
        pytest.param(1, 400, id="one"),
        pytest.param(81, 334, id="81: 6 steps per epoch"),
        pytest.param(320, 100, id="320: 20 steps per epoch"),
        pytest.param(5000, 100, id="many"),
    ],
)
def test_few_objects_are_looked_at_more_often(objects: int, epochs: int) -> None:
    assert fitted_to(Recipe(), objects).epochs == epochs


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        pytest.param({}, 400, id="default"),
        pytest.param({"epochs": 7}, 7, id="as given"),
        pytest.param({"recipe": "document"}, 30, id="the document's stay as they are"),
    ],
)
def test_epochs_of_a_job(tmp_path, settings, epochs) -> None:
    cat_folder(tmp_path / "cats", 15)
    heatmap_prepare(HeatmapPrepareConfig(tmp_path / "cats", out=tmp_path / "data", workers=1))
    job, _ = job_of(HeatmapTrainConfig(data=tmp_path / "data", run=tmp_path / "run", **settings), "float32")
    assert job.recipe.epochs == epochs
