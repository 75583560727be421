from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_onnx import HW, metadata, save_onnx

from kpt_tools.config.engines import ENGINE_OF_FORMAT
from kpt_tools.config.export import file_of
from kpt_tools.config.infer import InferConfig
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.config.network_input import NetworkInput, write_network_input
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.stages.engine_choice import EngineChoice, choose_engine
from kpt_tools.stages.parity_file import FORMAT


def check(model: str, seconds: float, *, good: bool = True, drops: tuple[float, ...] = (0.0, 0.001)) -> dict[str, Any]:
    """A row of parity.json, as `kpt-tools export` writes it, for the file `model`."""
    precision = Path(model).stem.removeprefix("model_") if "/" in model else "float32"
    changes = [{"name": "AP", "original": 0.7, "exported": 0.7 - drop, "drop": drop} for drop in drops]
    return {
        "model": model,
        "precision": precision,
        "good": good,
        "average_precision": changes,
        "seconds_per_picture": seconds,
    }


SAVED = check("saved_model", 0.1)
ONNX = check("onnx/model_float32.onnx", 0.05)
LITERT = check("tflite/model_float32.tflite", 0.06)
BF16 = check("openvino/model_bfloat16.xml", 0.02)
INT8 = check("tflite/model_int8.tflite", 0.01)


def folder_of(top: Path, *checks: dict[str, Any], without: tuple[str, ...] = ()) -> Path:
    """An exported folder whose models are empty files."""
    (top / "parity.json").write_text(json.dumps({"format": FORMAT, "checks": list(checks)}))
    for row in checks:
        path = top / ("saved_model/saved_model.pb" if row["model"] == "saved_model" else row["model"])
        if row["model"] not in without:
            path.parent.mkdir(exist_ok=True)
            path.touch()
    return top


def chosen(folder: Path, engine: str | None = None, precision: str | None = None) -> tuple[str, str]:
    choice = choose_engine(folder, engine, precision)
    return choice.name, choice.precision


@pytest.mark.parametrize(
    ("checks", "engine", "precision", "expected"),
    [
        ([SAVED, ONNX], None, None, ("saved_model", "float32")),
        ([ONNX, LITERT], None, None, ("onnx", "float32")),
        ([SAVED, ONNX, LITERT], "auto", None, ("onnx", "float32")),
        ([SAVED, check("onnx/model_float32.onnx", 0.2)], "auto", None, ("saved_model", "float32")),
        ([SAVED, ONNX, INT8], "auto", None, ("onnx", "float32")),
        ([SAVED, ONNX, INT8], "auto", "int8", ("litert", "int8")),
        ([SAVED, INT8], None, "int8", ("litert", "int8")),
        ([SAVED, ONNX, BF16], "auto", None, ("openvino", "bfloat16")),
        ([SAVED, ONNX, BF16], "auto", "float32", ("onnx", "float32")),
        (
            [SAVED, ONNX, check("openvino/model_bfloat16.xml", 0.02, drops=(0.0, 0.002))],
            "auto",
            None,
            ("onnx", "float32"),
        ),
        ([SAVED, ONNX, check("openvino/model_bfloat16.xml", 0.02, drops=())], "auto", None, ("onnx", "float32")),
        ([SAVED, check("onnx/model_float32.onnx", 0.01, good=False)], "auto", None, ("saved_model", "float32")),
        ([SAVED, ONNX, LITERT], "litert", None, ("litert", "float32")),
        ([SAVED, BF16], "openvino", "bfloat16", ("openvino", "bfloat16")),
    ],
    ids=[
        "saved-model-by-default",
        "no-saved-model",
        "the-fastest",
        "the-saved-model-may-be-fastest",
        "int8-is-not-chosen",
        "int8-is-asked-for",
        "int8-is-asked-for-without-engine",
        "bfloat16-that-costs-nothing",
        "float32-is-asked-for",
        "bfloat16-that-costs",
        "bfloat16-that-was-not-measured",
        "what-was-refused",
        "what-is-asked-for",
        "what-is-asked-for-in-precision",
    ],
)
def test_choice(
    tmp_path: Path, checks: list[dict[str, Any]], engine: str | None, precision: str | None, expected: tuple[str, str]
) -> None:
    assert chosen(folder_of(tmp_path, *checks), engine, precision) == expected


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    assert chosen(folder_of(tmp_path, SAVED, ONNX, LITERT, without=(ONNX["model"],)), "auto") == ("litert", "float32")


def test_an_engine_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else object())
    assert chosen(folder_of(tmp_path, SAVED, ONNX, LITERT), "auto") == ("litert", "float32")


def test_what_was_decided_is_said(tmp_path: Path) -> None:
    choice = choose_engine(folder_of(tmp_path, SAVED, ONNX, BF16), "auto")
    assert [(finding.code, finding.severity) for finding in choice.findings] == [("engine-chosen", "info")]
    assert choice.findings[0].message == (
        f"{tmp_path}: the engine is openvino, bfloat16: fastest of 3 that were compared with the original (20 ms); "
        "in bfloat16 average precision fell by 0.0010 at most."
    )
    assert choose_engine(tmp_path, "onnx").findings == ()
    assert choice.files == {
        "model": tmp_path / "openvino" / "model_bfloat16.xml",
        "metadata": tmp_path / "kpt_tools.json",
    }


def test_an_export_of_earlier_versions_has_no_report(tmp_path: Path) -> None:
    folder_of(tmp_path, SAVED)
    (tmp_path / "parity.json").unlink()
    choice = choose_engine(tmp_path, "auto")
    assert choice.text == "saved_model, float32"
    assert "no other model" in choice.why


@pytest.mark.parametrize(
    ("checks", "engine", "precision", "match"),
    [
        ([], None, None, "has no model that was compared with its original and whose engine is installed"),
        ([SAVED, ONNX], None, "int8", "has no model in int8 that was compared"),
        (
            [SAVED, ONNX],
            "openvino",
            None,
            r"has no openvino/model_float32\.xml; .* --format openvino --precision float32",
        ),
        ([ONNX], "saved_model", None, r"has no saved_model/saved_model\.pb; expected a model for the engine"),
        ([SAVED], "tensorrt", None, "--engine 'tensorrt'; "),
        ([SAVED], "auto", "int4", "--precision 'int4'; did you mean 'int8'"),
    ],
    ids=["nothing", "no-such-precision", "no-such-model", "no-saved-model", "engine", "precision"],
)
def test_refused(
    tmp_path: Path, checks: list[dict[str, Any]], engine: str | None, precision: str | None, match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        choose_engine(folder_of(tmp_path, *checks), engine, precision)


def test_a_damaged_report(tmp_path: Path) -> None:
    folder_of(tmp_path, SAVED)
    (tmp_path / "parity.json").write_text("{")
    with pytest.raises(DataError, match=r"parity\.json: not valid JSON"):
        choose_engine(tmp_path, "auto")


def test_an_engine_that_a_caller_brought(engine: Any) -> None:
    choice = EngineChoice.of(engine)
    assert choice.open() is engine
    assert choice.metadata == engine.metadata
    assert (choice.folder, choice.files, choice.findings, choice.text) == (None, {}, (), type(engine).__name__)


def test_every_format_has_an_engine() -> None:
    for format, engine in ENGINE_OF_FORMAT.items():
        assert file_of(format).parts[0] == format
        assert InferConfig(engine=engine).engine == engine


def test_infer_with_onnx_imports_no_tensorflow(tmp_path: Path) -> None:
    """The whole command in a fresh process, on a folder without a SavedModel."""
    folder = tmp_path / "model"
    folder.mkdir()
    folder_of(folder, ONNX)
    save_onnx(folder / ONNX["model"])
    write_network_input(folder / ONNX["model"], NetworkInput(HW, HW[0]))
    write_metadata(folder, metadata())
    (folder / "label_map.pbtxt").write_text('item { id: 1 name: "patch" }\n')
    Image.fromarray(np.full((60, 80, 3), 250, np.uint8)).save(tmp_path / "white.png")
    code = (
        "import json, sys\n"
        "from kpt_tools.cli.main import run\n"
        f"code = run(['infer', {str(tmp_path / 'white.png')!r}, '--model', {str(folder)!r}, "
        f"'--out', {str(tmp_path / 'out')!r}])\n"
        "print(json.dumps([code, [name for name in ('tensorflow', 'keras') if name in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]
    assert "onnx, float32" in done.stdout
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert rows[0]["bbox"] == pytest.approx([0, 20, 80, 20], abs=0.01)
    assert rows[0]["score"] == pytest.approx(250 / 255 * 0.75, abs=1e-4), "a quarter of the input is padding"
    assert json.loads((tmp_path / "out" / "run.json").read_text())["engine"] == "onnx, float32"
