"""Every format and precision of a small model, made in child processes, against the answers of the OD API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decided_centernet import picture, save_export
from PIL import Image

from kpt_tools.config.engines import ENGINE_OF_FORMAT, PRECISIONS_OF
from kpt_tools.config.export import FLOAT32, ONNX, OPENVINO, TFLITE, file_of
from kpt_tools.errors import ConfigError, EngineError, MissingDependencyError
from kpt_tools.inference.engine import RawDetections
from kpt_tools.inference.open_engine import open_engine
from kpt_tools.stages import export_formats
from kpt_tools.stages.export_formats import Converter, check_conversion, convert

pytest.importorskip("object_detection")
# The OD API's own modules warn at import, and Keras while it builds.
pytestmark = [pytest.mark.odapi, pytest.mark.filterwarnings("ignore")]

CLASSES = {"mouse": ("snout", "tail"), "box": (), "rat": ("nose",)}
CONVERSIONS = [(format, precision) for format in (ONNX, TFLITE, OPENVINO) for precision in PRECISIONS_OF[format]]
PICTURES = [(1, 48, 80), (2, 90, 60), (3, 64, 64)]
SCORE_ATOL = {"float32": 1e-5, "float16": 5e-3, "bfloat16": 5e-2, "int8": 0.15}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """An exported folder with every format, and the original."""
    top = tmp_path_factory.mktemp("formats")
    folder = top / "export"
    original = save_export(folder, **CLASSES)
    images = []
    for seed in range(10, 18):
        Image.fromarray(picture(seed)).save(top / f"{seed}.png")
        images.append(top / f"{seed}.png")
    with Converter(folder, images) as converter:
        made = [converter.convert(format, precision, folder) for format, precision in CONVERSIONS]
    assert made == [folder / file_of(*conversion) for conversion in CONVERSIONS]
    assert not list(top.glob(".kpt-tools-*")), "nothing is left behind"
    return folder, original


def found(exported: tuple[Path, Any], format: str, precision: str) -> list[tuple[RawDetections, RawDetections]]:
    """What the original and the converted model find in each picture."""
    folder, original = exported
    engine = open_engine(folder, ENGINE_OF_FORMAT[format], precision)
    images = [picture(*arguments) for arguments in PICTURES]
    return [(original(image), engine.detect(image)) for image in images]


@pytest.mark.slow
@pytest.mark.parametrize("format", [ONNX, TFLITE, OPENVINO])
def test_float32_finds_what_the_od_api_finds(exported: tuple[Path, Any], format: str) -> None:
    classes = set()
    for expected, raw in found(exported, format, FLOAT32):
        assert np.ptp(expected["detection_scores"]) > 0.01, "else order means nothing"
        for name, values in raw.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)
        classes.update(raw["detection_classes"].tolist())
    assert classes == {1.0, 2.0, 3.0}, "else a class is not tested"


@pytest.mark.slow
@pytest.mark.parametrize(("format", "precision"), [pair for pair in CONVERSIONS if pair[1] != FLOAT32])
def test_lower_precisions_come_near(exported: tuple[Path, Any], format: str, precision: str) -> None:
    """Near, and not equal: equal would be float32 under another name."""
    differences = [
        np.abs(raw["detection_scores"] - expected["detection_scores"]).max()
        for expected, raw in found(exported, format, precision)
    ]
    assert max(differences) < SCORE_ATOL[precision]
    if precision != "bfloat16" or _has_bfloat16():
        assert max(differences) > 1e-6


def _has_bfloat16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.slow
def test_sizes(exported: tuple[Path, Any]) -> None:
    folder, _ = exported
    sizes = {}
    for format, precision in CONVERSIONS:
        path = folder / file_of(format, precision)
        sizes[format, precision] = path.with_suffix(".bin" if format == OPENVINO else path.suffix).stat().st_size
    # Heads that are computed in a few cells stay in float32; of this small network they are a large part.
    largest = {"float32": 1, "float16": 0.6, "bfloat16": 1, "int8": 0.6}
    for format, precision in CONVERSIONS:
        share = sizes[format, precision] / sizes[format, FLOAT32]
        assert share <= largest[precision], (format, precision)


@pytest.mark.slow
def test_tflite_has_built_in_operations_only(exported: tuple[Path, Any]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    for precision in PRECISIONS_OF[TFLITE]:
        model = schema.ModelT.InitFromPackedBuf((exported[0] / file_of(TFLITE, precision)).read_bytes(), 0)
        assert len(model.operatorCodes) > 5
        assert [code.customCode for code in model.operatorCodes if code.customCode] == []


@pytest.mark.slow
def test_a_model_whose_checkpoint_is_gone(exported: tuple[Path, Any], tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("pipeline.config", "label_map.pbtxt", "kpt_tools.json"):
        (folder / name).write_bytes((exported[0] / name).read_bytes())
    with pytest.raises(
        EngineError, match=rf"the conversion to a fixed size failed: .*whole log: {tmp_path}/export\.log"
    ):
        convert(ONNX, FLOAT32, folder, folder)
    assert not (folder / ONNX).exists()
    assert not list(tmp_path.glob(".kpt-tools-*"))


@pytest.mark.parametrize(
    ("format", "precision", "match"),
    [
        ("coreml", "float32", "format is 'coreml'; expected one of onnx, tflite, openvino"),
        ("saved_model", "float32", "format is 'saved_model'; expected one of onnx, tflite, openvino"),
        (ONNX, "bfloat16", "onnx is not made in bfloat16; expected float32 or float16 or int8"),
        (TFLITE, "int4", "tflite is not made in int4; expected float32 or float16 or int8"),
    ],
    ids=["format", "saved-model", "no-bfloat16", "precision"],
)
def test_refused(format: str, precision: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        check_conversion(format, precision)


def test_int8_needs_pictures(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tflite int8: needs pictures to find the ranges of its integers; none given"):
        convert(TFLITE, "int8", tmp_path, tmp_path)


def test_a_package_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(
        MissingDependencyError, match=r"the format onnx needs the package 'tf2onnx', .* pip install '\.\[onnx\]'"
    ):
        convert(ONNX, FLOAT32, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("precision", "size", "halved"),
    [("float32", 9, False), ("float16", 1, True), ("bfloat16", 4, False), ("bfloat16", 5, True)],
)
def test_weights_of_large_models_are_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, size: int, halved: bool
) -> None:
    """In bfloat16, those of small ones are not rounded to float16 first."""
    monkeypatch.setattr(export_formats, "LARGE_MODEL", 4)
    source = tmp_path / "float32.onnx"
    source.write_bytes(b"x" * size)
    monkeypatch.setattr(Converter, "_onnx", lambda self, precision: source)
    monkeypatch.setattr(Converter, "_run", lambda self, command, out, what: command)
    with Converter(tmp_path / "export") as converter:
        command = converter._openvino(precision)
    assert ("--halve-weights" in command) is halved
