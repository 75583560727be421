"""infer on Beam gives what it gives without it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from coco_factories import pixels
from PIL import Image
from small_onnx import HW, metadata, save_onnx

from kpt_tools.config.beam import BeamConfig
from kpt_tools.config.export import ONNX, file_of
from kpt_tools.config.infer import InferConfig
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.config.network_input import NetworkInput, write_network_input
from kpt_tools.errors import ConfigError, DataError, EngineError
from kpt_tools.pipeline.label_map import format_label_map
from kpt_tools.stages.infer import InferResult, infer

MISSING = [name for name in ("apache_beam", "onnxruntime") if importlib.util.find_spec(name) is None]
pytestmark = [pytest.mark.filterwarnings("ignore")]  # Beam's own
needs_beam = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed; there is an environment for it: make beam"
)
DIRECT = BeamConfig("DirectRunner")
FILES = ("predictions.jsonl", "predictions.json", "predictions.csv")


def model(folder: Path) -> Path:
    path = folder / file_of(ONNX)
    write_metadata(folder, metadata())
    (folder / "label_map.pbtxt").write_text(format_label_map(metadata().label_map))
    write_network_input(path, NetworkInput(HW, 8))
    save_onnx(path)
    return folder


def images(folder: Path, count: int = 12) -> Path:
    """Pictures of different greys, in two folders; one is no picture."""
    (folder / "more").mkdir(parents=True)
    for number in range(count):
        place = folder / "more" if number % 3 == 0 else folder
        Image.fromarray(pixels() // (number + 1)).save(place / f"img{number}.png")
    (folder / "img4b.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no image")
    return folder


def detect(inputs: str, model: str, out: str, beam: BeamConfig | None, **settings: Any) -> InferResult:
    config = InferConfig(
        inputs=(inputs,), model=Path(model), out=Path(out), engine="onnx", min_score=0.0, **settings
    )  # fmt: skip
    return infer(config) if beam is None else infer(config, beam=beam)


def contents(out: Path) -> dict[str, bytes]:
    found = {name: (out / name).read_bytes() for name in FILES}
    drawn = {path.relative_to(out).as_posix(): path.read_bytes() for path in (out / "pictures").rglob("*.jpg")}
    return found | drawn


def letters(folder: Path) -> list[dict[str, str]]:
    found = sorted(folder.glob("dead_letters*.jsonl"))
    return [json.loads(line) for path in found for line in path.read_text().splitlines()]


@needs_beam
@pytest.mark.parametrize("settings", [{}, {"contact_sheet": True, "no_images": True}], ids=["pictures", "sheet"])
def test_outputs_are_those_of_the_local_way(tmp_path: Path, settings: dict[str, Any]) -> None:
    given = str(images(tmp_path / "images")), str(model(tmp_path / "model"))
    ours = detect(*given, str(tmp_path / "local"), None, **settings)
    beams = detect(*given, str(tmp_path / "beam"), DIRECT, **settings)
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")
    assert len(contents(tmp_path / "beam")) == len(FILES) + (0 if settings else 12)
    assert (beams.images, beams.detected, beams.empty, beams.detections) == (12, 13, 0, ours.detections)
    assert beams.counts == ours.counts
    assert (beams.contact_sheet is None) == (ours.contact_sheet is None)
    (letter,) = letters(tmp_path / "beam")
    assert (letter["item"], "not an image" in letter["reason"]) == ("img4b.png", True)
    assert not [path.name for path in (tmp_path / "beam").iterdir() if path.is_dir() and path.name != "pictures"]


@needs_beam
def test_everything_may_be_on_another_filesystem(tmp_path: Path, shelf: Path) -> None:
    images(shelf / "lab")
    model(shelf / "model")
    detect(str(shelf / "lab"), str(shelf / "model"), str(tmp_path / "local"), None)
    result = detect("shelf://lab", "shelf://model", "shelf://out/a", DIRECT)
    ours, far = contents(tmp_path / "local"), contents(shelf / "out" / "a")
    rows = [found.pop("predictions.jsonl").splitlines() for found in (ours, far)]
    assert far == ours
    assert [row for row in rows[1] if b"error" not in row] == [row for row in rows[0] if b"error" not in row]
    assert result.out == Path("shelf://out/a")
    assert [letter["item"] for letter in letters(shelf / "out" / "a")] == ["img4b.png"]
    assert json.loads((shelf / "out" / "a" / "run.json").read_text())["status"] == "ok"


@needs_beam
def test_a_model_that_no_worker_can_run_ends_the_job(tmp_path: Path) -> None:
    given = str(images(tmp_path / "images")), str(model(tmp_path / "model"))
    (tmp_path / "model" / file_of(ONNX)).write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"A worker of Beam cannot run the model: .*cannot load it"):
        detect(*given, str(tmp_path / "beam"), DIRECT)


@needs_beam
def test_a_model_that_does_not_fit_its_description_ends_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(*arrays: Any, **settings: Any) -> Any:
        raise DataError("The model found class 7.")

    given = str(images(tmp_path / "images")), str(model(tmp_path / "model"))
    monkeypatch.setattr("kpt_tools.stages.beam_infer.decode", unfit)
    with pytest.raises(EngineError, match=r"A worker of Beam cannot run the model: The model found class 7\."):
        detect(*given, str(tmp_path / "beam"), DIRECT)


@needs_beam
@pytest.mark.slow
def test_several_processes_find_the_same(tmp_path: Path, repository: Path) -> None:
    images(tmp_path / "images", 120)
    model(tmp_path / "model")
    command = [sys.executable, "-m", "kpt_tools", "infer", "images", "--model=model", "--engine=onnx", "--min-score=0"]
    outputs = {"local": [], "beam": ["--runner", "DirectRunner", "--direct_num_workers=2",
                                     "--direct_running_mode=multi_processing"]}  # fmt: skip
    for out, options in outputs.items():
        done = subprocess.run(
            [*command, f"--out={out}", *options], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
    assert contents(tmp_path / "beam") == contents(tmp_path / "local")


@pytest.mark.parametrize(
    ("settings", "beam", "match"),
    [
        ({"track": True}, DIRECT, "--track needs the pictures one after the other"),
        ({"inputs": ("gs://lab", "more")}, DIRECT, "gs://lab: give one folder of another filesystem"),
        ({"inputs": ("gs://lab",), "to_coco_annotator": True}, DIRECT, "--to-coco-annotator needs the pictures on"),
        ({"inputs": ("gs://lab",)}, BeamConfig(), "gs://lab: is not on this machine"),
        ({"model": Path("gs://lab/model")}, BeamConfig(), "gs://lab/model: is not on this machine"),
    ],
    ids=["track", "several", "coco-annotator", "input-without-runner", "model-without-runner"],
)
def test_refused(tmp_path: Path, settings: dict[str, Any], beam: BeamConfig, match: str) -> None:
    values = {"inputs": ("images",), "out": tmp_path / "out", **settings}
    with pytest.raises(ConfigError, match=match):
        infer(InferConfig(**values), beam=beam)
    assert not (tmp_path / "out").exists()
