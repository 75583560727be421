from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotator_data import BOX, QUICK, pliers_database, with_second_object, write_predictions
from annotator_server import Annotator, running
from serving import patch_bytes

from kpt_tools.config.annotator import PullConfig, PushConfig
from kpt_tools.config.infer import InferConfig
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.annotator_pull import pull
from kpt_tools.stages.annotator_push import PushResult, push
from kpt_tools.stages.infer import infer


@pytest.fixture
def server() -> Iterator[Annotator]:
    with running(pliers_database()) as database:
        yield database


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    return write_predictions(tmp_path / "predictions.json")


def send(server: Annotator, file: Path, **settings: Any) -> PushResult:
    config = PushConfig(**{"file": file, "url": server.url, "dataset": "pliers", "user": "ann", "wait": 5, **settings})
    return push(config, "s3cret", patience=QUICK)


def test_push(server: Annotator, predictions: Path) -> None:
    result = send(server, predictions)
    assert (result.images, result.objects, result.lost, result.sent) == (1, 1, 0, True)
    assert result.findings == ()
    assert result.imported is not None
    assert (result.imported.completed, result.incomplete) == (True, False)
    stored = server.annotations[-1]
    assert (stored["image_id"], stored["category_id"]) == (255, 15)
    assert {key: stored[key] for key in BOX} == BOX
    assert stored["keypoints"] == [12, 10, 2, 0, 0, 0]
    assert stored["metadata"] == {}, "the importer drops it, so the docs must not promise a score"


def test_what_was_pulled_can_be_pushed(server: Annotator, tmp_path: Path) -> None:
    pulled = pull(
        PullConfig(url=server.url, dataset="pliers", user="ann", out=tmp_path), "s3cret", patience=QUICK
    ).annotations
    before = len(server.annotations)
    result = send(server, pulled)
    assert result.objects == 3
    assert [finding.code for finding in result.findings] == ["upload-beside-others"]
    assert len(server.annotations) == before, "the importer knows equal objects again"


def test_a_dry_run_sends_nothing(server: Annotator, predictions: Path) -> None:
    result = send(server, with_second_object(predictions, segmentation=[]), dry_run=True)
    assert (result.objects, result.lost, result.sent, result.imported) == (1, 1, False, None)
    assert [finding.code for finding in result.findings] == ["upload-box-lost"]
    assert not [line for line in server.log if line == "POST /api/dataset/3/coco"]


def test_loss_is_refused(server: Annotator, predictions: Path) -> None:
    message = r"1 of 2 objects would be lost; nothing was sent. First: predictions.json: annotations\[1\]: has a bbox"
    with pytest.raises(DataError, match=message):
        send(server, with_second_object(predictions, segmentation=[]))
    assert len(server.annotations) == 3


def test_loss_is_borne_on_request(server: Annotator, predictions: Path) -> None:
    result = send(server, with_second_object(predictions, segmentation=[]), partial=True)
    assert (result.objects, result.lost, result.incomplete) == (1, 1, True)
    assert len(server.annotations) == 4


def test_nothing_left(server: Annotator, predictions: Path) -> None:
    server.images[255]["file_name"] = "renamed.jpg"
    with pytest.raises(DataError, match=r"none of its 1 objects would be kept; nothing was sent. First: .*'empty.jpg'"):
        send(server, predictions, partial=True)


def test_another_order_of_keypoints(server: Annotator, predictions: Path) -> None:
    server.categories[15]["keypoint_labels"] = ["heel", "tip"]
    with pytest.raises(DataError, match=r"keypoints tip, heel; in coco-annotator heel, tip. Points go by their order"):
        send(server, predictions)


def test_keypoints_cannot_be_compared(server: Annotator, predictions: Path) -> None:
    server.users["bob"] = "s3cret"
    result = send(server, predictions, user="bob")
    assert [(f.code, f.severity) for f in result.findings] == [("upload-keypoints-unchecked", "warning")]
    assert result.objects == 1


def test_new_category(server: Annotator, predictions: Path) -> None:
    coco = json.loads(predictions.read_text())
    coco["categories"][0]["name"] = "tongs"
    predictions.write_text(json.dumps(coco))
    with pytest.raises(DataError, match="'tongs' is not a category of the data set"):
        send(server, predictions)
    result = send(server, predictions, new_categories=True)
    assert server.categories[17]["keypoint_labels"] == ["tip", "heel"]
    assert [(f.code, f.severity) for f in result.findings] == [
        ("upload-category-new", "info"),
        ("upload-importer", "warning"),
    ]


def test_an_importer_that_does_not_run(server: Annotator, predictions: Path) -> None:
    server.worker_runs = False
    result = send(server, predictions, wait=0.01)
    assert result.imported is not None
    assert not result.imported.completed
    assert [finding.code for finding in result.findings] == ["upload-unfinished"]
    assert send(server, predictions, wait=0).imported is None


def test_what_infer_writes_is_kept(server: Annotator, tmp_path: Path, engine: Engine) -> None:
    server.add_category("Patch", ("left", "right"))
    server.add_category("bolt2")
    server.datasets[0]["categories"] += [17, 18]
    server.categories[18]["name"] = "Bolt"
    for name in ("x.png", "y.png"):
        server.add_image(3, f"cam/{name}", patch_bytes())
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(patch_bytes())
    out = tmp_path / "out"
    infer(InferConfig(inputs=(str(tmp_path / "pictures"),), out=out, to_coco_annotator=True), engine=engine)
    result = send(server, out / "pre_annotations.json")
    assert (result.images, result.objects, result.lost, result.findings) == (2, 2, 0, ())
    stored = server.annotations[-1]
    assert (stored["category_id"], stored["bbox"], stored["isbbox"]) == (17, [40, 30, 50, 20], True)
    assert stored["keypoints"] == [40, 30, 2, 90, 30, 2]


def test_results_are_no_coco_file(server: Annotator, tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    file.write_text("[]")
    with pytest.raises(ConfigError, match=r"a list of COCO results; expected a COCO file .*--to-coco-annotator"):
        send(server, file)
    assert server.log == [], "found before the server is asked"


def test_a_class_of_the_same_name_elsewhere_swallows_objects(server: Annotator, predictions: Path) -> None:
    """The importer takes the first class of that name in its whole database, whosever it is."""
    other = {**server.categories[15], "id": 1, "name": "PLIER"}
    server.categories = {1: other, **server.categories}
    result = send(server, predictions, wait=0.05)
    assert server.annotations[-1]["category_id"] == 1
    assert [(f.code, f.severity, f.image) for f in result.findings] == [("upload-not-kept", "error", "empty.jpg")]
    assert "1 of 1 objects are not in the data set after the import" in result.findings[0].message
    assert (result.missing, result.incomplete) == (1, True)


def test_the_last_object_may_come_after_the_importer_says_that_it_is_done(server: Annotator, predictions: Path) -> None:
    server.saves_last_late = True
    result = send(server, predictions)
    assert (result.missing, result.findings) == (0, ())
