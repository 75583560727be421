"""The Python interface, on a small ONNX model that finds one box in every picture."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_onnx import HW, metadata, save_onnx

import kpt_tools
from kpt_tools import Detection, Detector, Prediction
from kpt_tools.config.export import file_of
from kpt_tools.config.model_metadata import write_metadata
from kpt_tools.config.network_input import NetworkInput, write_network_input
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.video import VideoWriter
from kpt_tools.stages.parity_file import FORMAT

# As kpt-tools export would have found it to be good, so that it is chosen by itself.
PARITY = {
    "format": FORMAT,
    "checks": [
        {
            "model": "onnx/model_float32.onnx",
            "precision": "float32",
            "good": True,
            "seconds_per_picture": 0.01,
            "average_precision": [],
        }
    ],
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An exported folder; the score of its one box is the mean of the picture (padded to a square) over 255."""
    folder = tmp_path / "model"
    path = folder / file_of("onnx")
    write_metadata(folder, metadata())
    (folder / "label_map.pbtxt").write_text('item { id: 1 name: "patch" }\n')
    write_network_input(path, NetworkInput(HW, HW[0]))
    save_onnx(path)
    return folder


@pytest.fixture
def detector(model: Path) -> Detector:
    return Detector(model, engine="onnx", min_score=0.0)


def grey(value: int, hw: tuple[int, int] = (40, 40)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((*hw, 3), value, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """img1.png, img2.png, img10.png: 10, 20 and 100 of 255."""
    (tmp_path / "pictures").mkdir()
    for number, value in ((10, 100), (2, 20), (1, 10)):
        Image.fromarray(grey(value)).save(tmp_path / "pictures" / f"img{number}.png")
    return tmp_path / "pictures"


def scores(predictions: list[Prediction]) -> list[int]:
    return [round(prediction.detections[0].score * 255) for prediction in predictions]


def test_an_array(detector: Detector) -> None:
    (prediction,) = detector.predict(grey(51, (30, 60)))
    assert (prediction.image, prediction.width, prediction.height) == ("image 0", 60, 30)
    (found,) = prediction.detections
    assert isinstance(prediction, Prediction)
    assert isinstance(found, Detection)
    assert (found.class_name, found.class_id, found.keypoints_xys, found.track_id) == ("patch", 1, (), None)
    assert found.box_xywh_px == pytest.approx((0.0, 15.0, 60.0, 15.0)), "pixels of the picture, left top width height"
    assert found.score == pytest.approx(0.1, abs=1e-6), "half of the square is padding"


def test_all_kinds_in_order(detector: Detector, folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(grey(60, (20, 40))).save(folder / "turned.jpg", exif=exif)
    with Image.open(folder / "turned.jpg") as turned:
        found = detector.predict([grey(5), folder / "img2.png", str(folder / "img*.png"), turned, grey(7)])
    assert [prediction.image for prediction in found] == [
        "image 0",
        str(folder / "img2.png"),
        *(str(folder / f"img{number}.png") for number in (1, 2, 10)),
        "image 1",
        "image 2",
    ]
    assert scores(found[:5]) == [5, 20, 10, 20, 100]
    assert (found[5].width, found[5].height) == (20, 40), "upright"


@pytest.mark.parametrize("batch_size", [None, 1, 2, 50])
def test_batches_change_nothing(detector: Detector, folder: Path, batch_size: int | None) -> None:
    alone = [detector.predict(path)[0] for path in (folder / f"img{number}.png" for number in (1, 2, 10))]
    assert detector.predict(folder, batch_size=batch_size) == alone
    assert scores(alone) == [10, 20, 100]


def test_stream_takes_a_generator_and_ends_early(detector: Detector) -> None:
    asked: list[int] = []

    def endless() -> Iterator[np.ndarray[Any, Any]]:
        while True:
            asked.append(len(asked))
            yield grey(len(asked) % 200)

    stream = detector.stream(endless(), batch_size=2)
    assert scores([next(stream) for _ in range(6)]) == [1, 2, 3, 4, 5, 6]
    stream.close()  # type: ignore[attr-defined]
    assert len(asked) < 40


def test_video_with_numbers(detector: Detector, tmp_path: Path) -> None:
    pytest.importorskip("trackers", reason="the extra `video` is not installed")
    writer = VideoWriter(tmp_path / "a.mp4", tmp_path, 10.0)
    for value in (50, 60, 70):
        writer.write(grey(value, (64, 64)))
    writer.close()
    found = detector.predict(tmp_path / "a.mp4", track=True)
    assert [prediction.image for prediction in found] == [f"a.mp4/frame{number:06d}" for number in range(3)]
    assert [prediction.detections[0].track_id for prediction in found] == [None, 1, 1]


def test_limits(model: Path) -> None:
    assert Detector(model, engine="onnx", min_score=0.5).predict(grey(100))[0].detections == ()


def test_unreadable_pictures(detector: Detector, folder: Path) -> None:
    (folder / "img5.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"img5\.png: not an image that can be read"):
        detector.predict(folder)
    told: list[tuple[str, str]] = []
    found = detector.predict(folder, on_error=lambda name, exc: told.append((name, str(exc))))
    assert scores(found) == [10, 20, 100]
    assert [name for name, _ in told] == [str(folder / "img5.png")]


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ("gone.jpg", ConfigError, r"gone\.jpg: no such file or folder"),
        ([None], TypeError, "image 0: is a NoneType; expected a path, an array"),
        (7, TypeError, "image 0: is a int; expected a path"),
        (np.zeros((4, 4)), ValueError, r"expected \[H, W, 3\] uint8, got \[4, 4\] float64"),
    ],
    ids=["no file", "none", "number", "grey float array"],
)
def test_refused(detector: Detector, images: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        detector.predict(images)


def test_settings_are_checked(model: Path, detector: Detector) -> None:
    with pytest.raises(ConfigError, match=r"min_score is 3; expected a number from 0 to 1"):
        Detector(model, min_score=3)
    with pytest.raises(ConfigError, match=r"--engine 'onx'; did you mean 'onnx'"):
        Detector(model, engine="onx")
    with pytest.raises(ConfigError, match="batch_size is 0; expected at least 1"):
        detector.predict([], batch_size=0)
    assert detector.predict([]) == []
    assert (detector.engine, detector.metadata) == ("onnx, float32", metadata())


def test_no_tensorflow_and_no_opencv(model: Path, folder: Path) -> None:
    code = (
        "import json, sys\n"
        "from kpt_tools import Detector\n"
        f"found = Detector({str(model)!r}, engine='onnx', min_score=0.0).predict({str(folder)!r})\n"
        "heavy = ('tensorflow', 'keras', 'cv2', 'matplotlib', 'pycocotools', 'trackers', 'object_detection')\n"
        "print(json.dumps([len(found), [name for name in heavy if name in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [3, []]


def test_the_package_offers_what_it_lists() -> None:
    assert kpt_tools.__all__ == ["Detection", "Detector", "Prediction", "__version__"]
    assert all(hasattr(kpt_tools, name) for name in kpt_tools.__all__)
    with pytest.raises(AttributeError, match="module 'kpt_tools' has no attribute 'Detectr'"):
        kpt_tools.Detectr  # noqa: B018


def test_the_examples_of_the_page_run(
    model: Path, folder: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/python-api.md, with the small model as runs/train/export; it finds something from a mean of 77 on."""
    (model.parent / "runs" / "train").mkdir(parents=True)
    model.rename(model.parent / "runs" / "train" / "export")
    (model.parent / "runs" / "train" / "export" / "parity.json").write_text(json.dumps(PARITY), encoding="utf-8")
    monkeypatch.chdir(folder.parent)
    page = (repository / "docs" / "python-api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    namespace: dict[str, Any] = {}
    for block in blocks:
        exec(block, namespace)
    text = capsys.readouterr().out
    assert "pictures/img10.png patch 0.39" in text
    assert "pictures/img1.png 0\npictures/img2.png 0\npictures/img10.png 1\n" in text
