"""The comparison of an exported model with the original, with engines that really look at the pixels."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpt_tools.config.export import FLOAT32, INT8
from kpt_tools.entities import Instance
from kpt_tools.errors import DataError
from kpt_tools.stages.export_parity import Original
from kpt_tools.stages.export_pictures import Picture, Pictures


class OtherEngine:
    """What `inner` finds, changed."""

    calls = 1

    def __init__(self, inner: Any, **changes: float) -> None:
        self.inner, self.metadata, self.changes = inner, inner.metadata, changes

    def detect(self, image: Any) -> dict[str, Any]:
        raw = dict(self.inner.detect(image))
        return raw | {name: raw[name] + change for name, change in self.changes.items()}


def red_patch(number: int) -> Picture:
    rgb = np.full((100, 200, 3), 128, np.uint8)
    left = 10 + 20 * number
    rgb[30:60, left : left + 40] = (255, 0, 0)
    points = ((left, 30.0, 2), (left + 40.0, 30.0, 2))
    truth = Instance(1, number, 1, (left, 30.0, 40.0, 30.0), 1200.0, points)
    return Picture(f"{number}.png", rgb, compared=True, instances=(truth,))


def pictures(count: int = 4, **changes: Any) -> Pictures:
    def read() -> Iterator[Picture]:
        return (replace(red_patch(number), **changes) for number in range(count))

    return Pictures("drawn", True, count, count, count, read)


def original(engine: Any, folder: Path, **changes: Any) -> Original:
    """As the child process leaves it behind."""
    made = Original(pictures(**changes), engine.metadata)
    arrays = {
        f"{number}/{name}": value
        for number, image in enumerate(made.images())
        for name, value in engine.detect(image).items()
    }
    np.savez(folder / "original.npz", **arrays)
    made.read(folder / "original.npz")
    return made


def quiet(event: dict[str, Any]) -> None:
    """Takes no notice."""


def test_the_same_model_is_good(engine: Any, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    check = original(engine, tmp_path).check(engine, "saved_model", FLOAT32, events.append)
    assert check.good
    assert (check.comparison.images, check.comparison.matched) == (4, 4)
    assert [(change.name, change.original, change.drop) for change in check.changes] == [
        ("box AP", pytest.approx(1.0), 0.0),
        ("OKS AP", pytest.approx(1.0), 0.0),
    ]
    assert events[-1] == {"kind": "image", "done": 4, "total": 4}
    content = json.loads(json.dumps(check.to_dict()))
    assert (content["model"], content["good"], content["note"]) == ("saved_model", True, "")
    assert content["tolerance"]["box_px"] == 0.5


@pytest.mark.parametrize(
    ("changes", "precision", "reasons"),
    [
        pytest.param({"detection_boxes": 0.004}, FLOAT32, ["a box of"], id="boxes by 0.8 px"),
        pytest.param({"detection_keypoints": 0.01}, FLOAT32, ["a point of"], id="points by 2 px"),
        pytest.param({"detection_scores": -0.002}, FLOAT32, ["a score differs by 0.0020"], id="scores"),
        pytest.param({"detection_scores": -0.002}, INT8, [], id="scores in integers"),
        pytest.param({"detection_boxes": 0.2}, INT8, ["box AP fell by 1", "detections have no"], id="boxes elsewhere"),
        pytest.param({"detection_keypoints": 0.2}, INT8, ["OKS AP fell by 1", "points moved"], id="points elsewhere"),
    ],
)
def test_another_model_is_refused(
    engine: Any, tmp_path: Path, changes: dict[str, float], precision: str, reasons: list[str]
) -> None:
    check = original(engine, tmp_path).check(OtherEngine(engine, **changes), "m", precision, quiet)
    assert check.good == (not reasons)
    assert len([r for r in reasons if any(r in refusal for refusal in check.refusals)]) == len(reasons)
    if not reasons:
        assert check.refusals == ()


def test_without_annotations_there_is_no_ap(engine: Any, tmp_path: Path) -> None:
    made = original(engine, tmp_path, instances=None)
    check = made.check(engine, "m", FLOAT32, quiet)
    assert check.good
    assert check.changes == ()
    assert made.summary()["annotated"] == 0


def test_pictures_for_ap_only_are_not_compared(engine: Any, tmp_path: Path) -> None:
    check = original(engine, tmp_path, compared=False).check(engine, "m", FLOAT32, quiet)
    assert check.comparison.images == 0
    assert len(check.changes) == 2


def test_pictures_that_change_meanwhile_are_noticed(engine: Any, tmp_path: Path) -> None:
    made = original(engine, tmp_path)
    for other in (pictures(3), pictures(4, name="x")):
        made.pictures = other
        with pytest.raises(DataError, match="drawn: changed while the export ran"):
            made.check(engine, "m", FLOAT32, quiet)


def test_no_picture_at_all(engine: Any, tmp_path: Path) -> None:
    made = Original(pictures(0), engine.metadata)
    assert list(made.images()) == []
    np.savez(tmp_path / "original.npz")
    with pytest.raises(DataError, match="not one picture could be read"):
        made.read(tmp_path / "original.npz")


class Unhurried(OtherEngine):
    """Takes a while for a picture, and several pictures at once."""

    calls, seconds = 3, 0.05

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.running = self.most = 0
        self.lock = threading.Lock()

    def detect(self, image: Any) -> dict[str, Any]:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(self.seconds)
        with self.lock:
            self.running -= 1
        return super().detect(image)


def test_pictures_run_side_by_side_as_in_infer(tmp_path: Path, engine: Any) -> None:
    """The time of a picture is shared by those beside it; what is found stays in order."""
    unhurried = Unhurried(engine)
    check = original(engine, tmp_path).check(unhurried, "m", FLOAT32, quiet)
    assert unhurried.most == 3
    assert check.good
    assert check.comparison.box_px.largest == 0
    assert unhurried.seconds / 3 <= check.seconds < unhurried.seconds
