"""ONNX Runtime, OpenVINO and LiteRT on real, small models; and `open_engine`."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_onnx import BOX, HW, metadata, save_onnx

from kpt_tools.config.export import ONNX, OPENVINO, TFLITE, file_of
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.config.network_input import NetworkInput, write_network_input
from kpt_tools.errors import ConfigError, EngineError, MissingDependencyError
from kpt_tools.inference.open_engine import ENGINES, model_of_engine, open_engine


def save_openvino(path: Path) -> None:
    import openvino

    source = path.with_suffix(".onnx")
    save_onnx(source)
    openvino.save_model(openvino.Core().read_model(str(source)), str(path))


def save_tflite(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        class Mean(tf.Module):  # type: ignore[misc,name-defined]
            @tf.function(input_signature=[tf.TensorSpec([1, *HW, 3], tf.float32, name="image")])
            def __call__(self, image: Any) -> dict[str, Any]:
                return {
                    "detection_boxes": tf.constant([[BOX]]) + 0.0 * image[:, :1, 0, :1],
                    "detection_classes": tf.ones([1, 1]) + 0.0 * image[:, 0, 0, :1],
                    "detection_scores": tf.reduce_mean(image, [1, 2, 3])[:, tf.newaxis] / 255.0,
                }

        module = Mean()
        concrete = module.__call__.get_concrete_function()
        tf.saved_model.save(module, str(path.parent / "graph"), signatures=concrete)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(path.parent / "graph")).convert())


SAVERS = {ONNX: save_onnx, OPENVINO: save_openvino, TFLITE: save_tflite}


def export(folder: Path, format: str) -> Path:
    """An exported folder with one small model that takes 8x8 pixels."""
    path = folder / file_of(format)
    write_metadata(folder, metadata())
    write_network_input(path, NetworkInput(HW, 8))
    SAVERS[format](path)
    return folder


FORMATS = [
    pytest.param(ONNX, "onnx", id="onnx"),
    pytest.param(OPENVINO, "openvino", id="openvino"),
    pytest.param(TFLITE, "litert", id="litert", marks=pytest.mark.odapi),
]


@pytest.mark.parametrize(("format", "engine"), FORMATS)
def test_runs(tmp_path: Path, format: str, engine: str) -> None:
    detector = open_engine(export(tmp_path, format), engine)
    for grey in (51, 204):
        raw = detector.detect(np.full((4, 8, 3), grey, np.uint8))
        assert raw["detection_scores"] == pytest.approx(np.array([grey / 255 / 2]), abs=1e-6), "half of it is padding"
        np.testing.assert_allclose(raw["detection_boxes"], [[0.5, 0.0, 1.0, 1.0]])
    assert detector.metadata == metadata()


@pytest.mark.parametrize(("format", "engine"), FORMATS)
def test_many_pictures_give_what_each_gives_alone(
    tmp_path: Path, format: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kpt_tools.inference.open_engine.available_cores", lambda: 3)
    folder = export(tmp_path, format)
    one, many = open_engine(folder, engine), open_engine(folder, engine, side_by_side=True)
    assert (one.calls, many.calls) == (1, 1 if engine == "litert" else 3)
    assert one.batch_size == many.batch_size == 1
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (4 + number, 8, 3), dtype=np.uint8) for number in range(17)]
    pairs = [images[begin : begin + 2] for begin in range(0, 17, 2)]
    with ThreadPoolExecutor(many.calls) as threads:
        together = [found for pair in threads.map(many.detect_batch, pairs) for found in pair]
    assert len(together) == 17
    for image, found in zip(images, together, strict=True):
        alone = one.detect(image)
        assert alone.keys() == found.keys()
        assert all(np.array_equal(alone[key], found[key]) for key in alone)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals between processes")
def test_ctrl_c_after_openvino_models_came_and_went(tmp_path: Path) -> None:
    folder = export(tmp_path, OPENVINO)
    code = (
        "import os, signal, time\n"
        "from pathlib import Path\n"
        "from kpt_tools.inference.open_engine import open_engine\n"
        f"first, second = (open_engine(Path({str(folder)!r}), 'openvino') for _ in range(2))\n"
        "del first\n"
        "del second\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(10)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n")


@pytest.mark.parametrize("damage", [None, lambda data: data[: len(data) // 2], lambda data: b""])
def test_what_openvino_prepared_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes] | None
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *names, **options: tmp_path / "cache")
    folder, image = export(tmp_path, OPENVINO), np.full((4, 8, 3), 51, np.uint8)
    first = open_engine(folder, "openvino").detect(image)
    (kept,) = (tmp_path / "cache").rglob("*.blob")
    before = kept.stat()
    if damage is not None:
        data = kept.read_bytes()
        kept.unlink()
        kept.write_bytes(damage(data))
    again = open_engine(folder, "openvino").detect(image)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert (kept.stat().st_mtime_ns == before.st_mtime_ns) is (damage is None)


def test_a_large_network_gets_all_cores_for_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpt_tools.inference.open_engine.available_cores", lambda: 3)
    monkeypatch.setattr("kpt_tools.inference.open_engine.LARGEST_SIDE_BY_SIDE", 10)
    assert open_engine(export(tmp_path, ONNX), "onnx", side_by_side=True).calls == 1


@pytest.mark.parametrize(("format", "engine"), FORMATS)
def test_no_model(tmp_path: Path, format: str, engine: str) -> None:
    with pytest.raises(ConfigError, match=rf"has no {format}/model_int8\.\w+; .* --format {format} --precision int8"):
        open_engine(tmp_path, engine, "int8")


@pytest.mark.parametrize(("format", "engine"), FORMATS)
def test_damaged_model(tmp_path: Path, format: str, engine: str) -> None:
    path = tmp_path / file_of(format)
    write_metadata(tmp_path, metadata())
    write_network_input(path, NetworkInput(HW, 8))
    path.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"cannot load it .* Run kpt-tools export again, or pip install --upgrade"):
        open_engine(tmp_path, engine)


@pytest.mark.parametrize(("format", "engine"), FORMATS[:2])
def test_no_tensorflow(tmp_path: Path, format: str, engine: str) -> None:
    folder = export(tmp_path, format)
    code = (
        "import json, sys, numpy\n"
        "from pathlib import Path\n"
        "from kpt_tools.inference.open_engine import open_engine\n"
        f"raw = open_engine(Path({str(folder)!r}), {engine!r}).detect(numpy.full((4, 8, 3), 51, numpy.uint8))\n"
        "loaded = [name for name in ('tensorflow', 'keras', 'cv2') if name in sys.modules]\n"
        "print(json.dumps([float(raw['detection_scores'][0]), loaded]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    score, loaded = json.loads(done.stdout.splitlines()[-1])
    assert score == pytest.approx(0.1, abs=1e-6)
    assert loaded == []


@pytest.mark.parametrize(
    ("engine", "precision", "match"),
    [
        ("tensorrt", "float32", "engine is 'tensorrt'; expected one of saved_model, onnx, openvino, litert"),
        ("saved_model", "int8", "saved_model is not made in int8; expected float32"),
    ],
    ids=["engine", "saved-model-is-float32"],
)
def test_refused(tmp_path: Path, engine: str, precision: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        open_engine(tmp_path, engine, precision)


def test_where_an_engine_looks(tmp_path: Path) -> None:
    found = [model_of_engine(tmp_path, engine).relative_to(tmp_path).as_posix() for engine in ENGINES]
    assert found == [
        "saved_model/saved_model.pb",
        "onnx/model_float32.onnx",
        "openvino/model_float32.xml",
        "tflite/model_float32.tflite",
    ]


@pytest.mark.parametrize(
    ("package", "format", "engine", "extra"),
    [
        ("onnxruntime", ONNX, "onnx", "onnx"),
        ("openvino", OPENVINO, "openvino", "openvino"),
        ("ai_edge_litert", TFLITE, "litert", "litert"),
    ],
)
def test_a_package_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, format: str, engine: str, extra: str
) -> None:
    path = tmp_path / file_of(format)
    write_metadata(tmp_path, metadata())
    write_network_input(path, NetworkInput(HW, 8))
    path.write_bytes(b"a model")
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=rf"needs the package '{package}'.*'\.\[{extra}\]'"):
        open_engine(tmp_path, engine)
