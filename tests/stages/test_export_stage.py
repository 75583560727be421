"""`kpt-tools export` of a small run: what is made, kept, added and refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decided_centernet import picture, save_export

from kpt_tools.cli.main import run as kpt_tools
from kpt_tools.config.export import TFLITE, ExportConfig
from kpt_tools.config.make_tfrecord import MakeTfrecordConfig
from kpt_tools.demo.pliers import make_pliers
from kpt_tools.errors import EngineError
from kpt_tools.inference.saved_model import SavedModelEngine
from kpt_tools.metrics import parity
from kpt_tools.pipeline.label_map import read_label_map
from kpt_tools.stages.export import export_run
from kpt_tools.stages.make_tfrecord import make_tfrecord

pytest.importorskip("object_detection")
# The OD API's own modules warn at import, and Keras while it builds.
pytestmark = [pytest.mark.odapi, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with records and the checkpoint of a network that answers like a trained one."""
    folder = tmp_path_factory.mktemp("export")
    made = make_pliers(folder / "pliers", 6, 3, (160, 120))
    records = MakeTfrecordConfig(
        made.annotations, made.images, folder / "records", folder / "map.pbtxt", val=0.5, keep_empty=True
    )
    make_tfrecord(records)
    items = read_label_map(folder / "map.pbtxt").items
    save_export(folder / "made", **{item.name: [point.name for point in item.keypoints] for item in items})
    run = folder / "run"
    shutil.copytree(folder / "made" / "checkpoint", run)
    for name in ("pipeline.config", "label_map.pbtxt"):
        shutil.copyfile(folder / "made" / name, run / name)
    (run / "run.json").write_text(json.dumps({"eval_records": [str(folder / "records" / "val.record-*")]}))
    return run


@pytest.fixture(scope="module")
def exported(run: Path) -> Any:
    return export_run(ExportConfig(run))


def stored(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
    assert content["format"] == "kpt-tools-parity/1"
    return content


def test_a_savedmodel_that_finds_what_the_checkpoint_finds(run: Path, exported: Any) -> None:
    assert exported.folder == run / "export"
    assert not exported.reused
    assert exported.signatures == {
        "serving_default": "uint8[?, ?, ?, 3]",
        "float_image_tensor": "float32[?, ?, ?, 3]",
        "encoded_image_string_tensor": "string[?]",
    }
    assert exported.outputs["detection_keypoints"] == "float32[?, 10, 5, 2]"
    (check,) = stored(exported.folder)["checks"]
    assert (check["model"], check["good"], check["refusals"]) == ("saved_model", True, [])
    assert check["comparison"]["images"] == check["pictures"]["compared"] == check["pictures"]["annotated"] == 3
    assert check["comparison"]["matched"] > 5
    assert check["comparison"]["keypoint_px"]["count"] > 5
    assert check["comparison"]["box_px"]["largest"] < 0.01
    assert {path.name for path in exported.folder.iterdir()} == {
        *("saved_model", "checkpoint", "pipeline.config", "label_map.pbtxt", "kpt_tools.json", "parity.json")
    }
    assert [path.name for path in run.glob(".*")] == [], "nothing half-made is left"


def test_several_pictures_at_once_and_one_by_one(exported: Any) -> None:
    """More than go through the network together, of three sizes."""
    engine = SavedModelEngine(exported.folder)
    pictures = [picture(seed, *((48, 80), (48, 80), (60, 40), (30, 30))[seed % 4]) for seed in range(11)]
    found = engine.detect_batch(pictures)
    assert len({raw["detection_scores"][0] for raw in found}) == 11, "else pictures could be mixed up"
    for raw, one in zip(found, pictures, strict=True):
        for name, value in engine.detect(one).items():
            np.testing.assert_allclose(raw[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_format_is_added_and_then_found(
    run: Path, exported: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (exported.folder / "saved_model" / "saved_model.pb").stat().st_mtime_ns
    assert kpt_tools(["export", str(run), "--format", "tflite,saved_model"]) == 0
    shown = capsys.readouterr().out
    assert "tflite float32" in shown
    assert (exported.folder / "tflite" / "model_float32.tflite").is_file()
    assert [check["model"] for check in stored(exported.folder)["checks"]] == [
        "saved_model",
        "tflite/model_float32.tflite",
    ]
    assert (exported.folder / "saved_model" / "saved_model.pb").stat().st_mtime_ns == before
    again = export_run(ExportConfig(run, formats=(TFLITE,)))
    assert again.reused
    assert len(again.parity["checks"]) == 2


def test_what_differs_too_much_does_not_take_its_place(
    run: Path, exported: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No model can be better than a tolerance of less than nothing."""
    before = {path: path.stat().st_mtime_ns for path in exported.folder.rglob("*")}
    hopeless = {name: replace(value, score=-1.0) for name, value in parity.TOLERANCES.items()}
    monkeypatch.setattr("kpt_tools.stages.export_parity.TOLERANCES", hopeless)
    assert kpt_tools(["export", str(run), "--force"]) == EngineError.exit_code
    shown, error = capsys.readouterr()
    assert "✗ saved_model" in shown
    assert "saved_model: refused, it does not find what the checkpoint finds: a score differs by 0.0000" in error
    assert {path: path.stat().st_mtime_ns for path in exported.folder.rglob("*")} == before
    refused = json.loads((run / "export_refused.json").read_text(encoding="utf-8"))
    assert [check["good"] for check in refused["checks"]] == [False]
    assert [path.name for path in run.glob(".*")] == []


def test_without_validation_pictures_it_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("export"))
    (other / "run.json").write_text("{}")
    assert kpt_tools(["export", str(other)]) == 0
    shown = capsys.readouterr()
    assert "no validation records are known for this model" in shown.err
    assert "8 made-up pictures; AP not measured" in " ".join(shown.out.split())
