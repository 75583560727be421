from __future__ import annotations

import base64
import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests
from annotator_server import Annotator
from PIL import Image
from serving import BrokenEngine, error_of, patch_bytes, post, serving

from kpt_tools.errors import EngineError
from kpt_tools.inference.engine import Engine

GREY = io.BytesIO()
Image.new("RGB", (160, 120), (128, 128, 128)).save(GREY, "PNG")


@pytest.fixture
def events() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def url(engine: Engine, events: list[dict[str, Any]]) -> Iterator[str]:
    with serving(engine, events, max_upload_mb=0.2, max_megapixels=0.1) as address:
        yield address


def test_predict(url: str, events: list[dict[str, Any]]) -> None:
    answer = post(f"{url}/predict", patch_bytes(), "dir/my picture.png").json()
    assert answer.pop("seconds") >= 0
    patch = {"class": "patch", "class_id": 1, "score": 0.9, "box_xywh_px": [40, 30, 50, 20]}
    points = [{"name": "left", "x": 40, "y": 30, "score": 0.8}, {"name": "right", "x": 90, "y": 30, "score": 0.7}]
    assert answer["image"] == {"name": "my picture.png", "width": 160, "height": 120}
    assert answer["warnings"] == []
    (found,) = answer["detections"]
    assert found.pop("keypoints") == [{**point, "score": pytest.approx(point["score"])} for point in points]
    assert found == {**patch, "score": pytest.approx(0.9)}
    assert [(event["kind"], event["path"], event["status"], event["text"]) for event in events] == [
        ("request", "/predict", 200, "my picture.png: 1 object")
    ]


def test_predict_with_the_upright_picture(url: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.open(io.BytesIO(patch_bytes())).transpose(Image.Transpose.ROTATE_90)
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", exif=exif)
    answer = post(f"{url}/predict?picture=1", buffer.getvalue()).json()
    assert answer["detections"][0]["box_xywh_px"] == pytest.approx([40, 30, 50, 20])
    head, _, content = answer["picture"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (160, 120)


def test_predict_takes_a_plain_body(url: str) -> None:
    response = requests.post(f"{url}/predict", patch_bytes(), headers={"Content-Type": "image/png"}, timeout=10)
    assert len(response.json()["detections"]) == 1


@pytest.mark.parametrize(("least", "count"), [("0", 2), ("0.01", 2), ("0.5", 1), ("0.95", 0)])
def test_another_threshold(url: str, least: str, count: int) -> None:
    assert len(post(f"{url}/predict?min_score={least}", patch_bytes()).json()["detections"]) == count


@pytest.mark.parametrize("least", ["2", "-0.1", "nan", "x", ""])
def test_thresholds_that_are_none(url: str, least: str) -> None:
    response = post(f"{url}/predict?min_score={least}", patch_bytes())
    assert response.status_code == 400
    assert error_of(response) == f"min_score is '{least}'; expected a number from 0 to 1."


def test_annotate_as_coco_annotator_asks(url: str) -> None:
    """From a canvas: a PNG named "blob", and a page on another port."""
    response = post(f"{url}/annotate", patch_bytes(), "blob", headers={"Origin": "http://localhost:5000"})
    assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:5000"
    coco = response.json()["coco"]
    assert all(coco[key] for key in ("images", "categories", "annotations"))
    (row,) = coco["annotations"]
    assert {category["id"]: category["name"] for category in coco["categories"]}[row["category_id"]] == "patch"
    assert row["segmentation"] == [[40, 30, 90, 30, 90, 50, 40, 50]]
    assert row["isbbox"] is True
    assert row["keypoints"] == [40, 30, 2, 90, 30, 2]


@pytest.mark.parametrize(
    ("orientation", "back", "box"),
    [
        (1, None, [40, 30, 50, 20]),
        (6, Image.Transpose.ROTATE_90, [30, 70, 20, 50]),
        (8, Image.Transpose.ROTATE_270, [70, 40, 20, 50]),
        (3, Image.Transpose.ROTATE_180, [70, 70, 50, 20]),
        (2, Image.Transpose.FLIP_LEFT_RIGHT, [70, 30, 50, 20]),
    ],
)
def test_annotate_answers_in_stored_pixels(url: str, orientation: int, back: Any, box: list[int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.open(io.BytesIO(patch_bytes()))
    picture = picture.transpose(back) if back is not None else picture
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=exif)
    coco = post(f"{url}/annotate", buffer.getvalue()).json()["coco"]
    assert (coco["images"][0]["width"], coco["images"][0]["height"]) == picture.size
    x, y, width, height = coco["annotations"][0]["bbox"]
    assert [x, y, width, height] == box
    red = np.argwhere(np.asarray(picture)[..., 1] == 0)
    assert [*red.min(axis=0)[::-1], *(red.max(axis=0) + 1)[::-1]] == [x, y, x + width, y + height]


def test_weak_points_are_written_as_hidden(engine: Engine) -> None:
    with serving(engine, min_keypoint_score=0.75, confident_keypoint_score=0.85) as url:
        (row,) = post(f"{url}/annotate", patch_bytes()).json()["coco"]["annotations"]
    assert row["keypoints"] == [40, 30, 1, 0, 0, 0]


def test_the_importer_keeps_the_answer(url: str) -> None:
    coco = post(f"{url}/annotate", patch_bytes(), "a.png").json()["coco"]
    server = Annotator()
    dataset = server.add_dataset("d", (server.add_category("Patch", ("left", "right")),))
    server.add_image(dataset, "a.png", patch_bytes())
    task: dict[str, Any] = {"warnings": 0, "errors": 0, "logs": []}
    server.take_in(task, dataset, {**coco, "categories": coco["categories"][:1]})
    assert task["logs"] == []
    (stored,) = server.annotations
    assert (stored["bbox"], stored["area"], stored["isbbox"]) == ([40, 30, 50, 20], 1000, True)


def test_nothing_found(url: str) -> None:
    coco = post(f"{url}/annotate", GREY.getvalue()).json()["coco"]
    assert coco["annotations"] == []
    assert len(coco["images"]) == 1
    assert len(coco["categories"]) == 2
    assert post(f"{url}/predict", GREY.getvalue()).json()["detections"] == []


@pytest.mark.parametrize("path", ["/predict", "/annotate"])
@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        pytest.param(
            b"just a text", 415, r"a\.png: not a picture of a known format; expected one of JPEG, PNG", id="text"
        ),
        pytest.param(patch_bytes(kind="GIF"), 415, "not a picture of a known format", id="gif"),
        pytest.param(patch_bytes()[:200], 400, r"a\.png: cannot be decoded \(.*\)\. Replace", id="truncated"),
        pytest.param(
            patch_bytes(kind="JPEG")[:900], 400, r"a\.png: cannot be decoded \(.*truncated", id="truncated jpeg"
        ),
        pytest.param(b"", 400, r"a\.png: the file is empty; expected an image", id="empty"),
        pytest.param(os.urandom(210_000), 413, r"has 0\.2 MB or more; expected at most 0\.2 MB", id="oversize"),
        pytest.param(os.urandom(900_000), 413, r"has 0\.9 MB or more; expected at most 0\.2 MB", id="far oversize"),
    ],
)
def test_bad_files(url: str, path: str, content: bytes, status: int, message: str) -> None:
    response = post(url + path, content)
    assert response.status_code == status
    assert re.search(message, error_of(response))


def test_too_many_pixels(url: str) -> None:
    buffer = io.BytesIO()
    Image.new("L", (400, 400)).save(buffer, "PNG")
    response = post(f"{url}/predict", buffer.getvalue())
    assert response.status_code == 413
    assert "a.png: 400x400 pixels; expected at most 0.1 million" in error_of(response)


def test_an_upload_that_does_not_tell_its_size(url: str) -> None:
    blocks = (os.urandom(50_000) for _ in range(12))
    response = requests.post(f"{url}/predict", data=blocks, headers={"Content-Type": "image/png"}, timeout=10)
    assert response.status_code == 413
    assert "expected at most 0.2 MB" in error_of(response)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"files": {"file": ("a.png", b"x")}}, 400, "the form field 'image' is missing; there is 'file'; expected"),
        ({"files": {"a": b"x", "b": b"y"}}, 400, "is missing; there is 'a', 'b'; expected"),
        ({"files": {"image": (None, "text")}}, 400, "the form field 'image' is a text, not a file"),
        ({"data": {"image": "text"}}, 415, "has the type 'application/x-www-form-urlencoded'; expected multipart"),
        ({"json": {}}, 415, "has the type 'application/json'; expected multipart/form-data with a file"),
        ({}, 415, "has the type 'none'"),
        (
            {"data": b"--x\r\n\r\n", "headers": {"Content-Type": "multipart/form-data"}},
            400,
            "the form cannot be read (Missing boundary in multipart.)",
        ),
        (
            {"data": b"garbage", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            400,
            "the form cannot be read",
        ),
    ],
    ids=["other field", "two others", "text field", "urlencoded", "json", "nothing", "no boundary", "garbage"],
)
def test_bad_requests(url: str, options: dict[str, Any], status: int, message: str) -> None:
    response = requests.post(f"{url}/annotate", timeout=10, **options)
    assert response.status_code == status
    assert message in error_of(response)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nowhere", 404, "no such address '/nowhere'; there are /, /predict"),
        ("GET", "/predict", 405, "GET is not for '/predict'"),
        ("POST", "/health", 405, "POST is not for '/health'"),
        ("GET", "/../../etc/passwd", 404, "no such address"),
    ],
)
def test_other_addresses(url: str, method: str, path: str, status: int, message: str) -> None:
    response = requests.request(method, url + path, timeout=10)
    assert response.status_code == status
    assert message in error_of(response)


def test_page_model_and_health(url: str) -> None:
    for path, kind, mark in (
        ("/", "text/html", "<title>"),
        ("/page.css", "text/css", "#stage"),
        ("/page.js", "text/javascript", "predict"),
    ):
        response = requests.get(url + path, timeout=10)
        assert response.headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert mark in response.text
        assert not re.search(r"(?:src|href)=.https?:|url\(|@import", response.text), "nothing from elsewhere"
    assert requests.get(f"{url}/health", timeout=10).json()["status"] == "ok"
    model = requests.get(f"{url}/model", timeout=10).json()
    assert model["name"] == "patches"
    assert [(one["name"], len(one["keypoints"]), one["skeleton"]) for one in model["classes"]] == [
        ("patch", 2, [[0, 1]]),
        ("bolt", 0, []),
    ]
    assert model["max_upload_bytes"] == 200_000


def test_a_name_that_only_points_here(url: str) -> None:
    response = requests.get(f"{url}/model", headers={"Host": "evil.example"}, timeout=10)
    assert response.status_code == 403
    assert error_of(response) == "this server does not answer to the name 'evil.example'; use 127.0.0.1 or localhost."


def test_pages_elsewhere(engine: Engine, events: list[dict[str, Any]]) -> None:
    lan, evil = {"Origin": "http://192.168.1.5:5000"}, {"Origin": "https://evil.example"}
    with serving(engine, events, allow_origin=("http://192.168.1.5:5000",)) as url:
        allowed = post(f"{url}/annotate", patch_bytes(), headers=lan)
        refused = post(f"{url}/annotate", patch_bytes(), headers=evil)
    assert allowed.headers["Access-Control-Allow-Origin"] == "http://192.168.1.5:5000"
    assert allowed.headers["Vary"] == "Origin"
    assert refused.status_code == 403
    assert "start it with --allow-origin https://evil.example" in error_of(refused)
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert [event["kind"] for event in events] == ["request", "warning"], "the model did not see the second picture"


def test_preflight(url: str) -> None:
    asked = {
        "Origin": "http://localhost:5000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-requested-with",
        "Access-Control-Request-Private-Network": "true",
    }
    response = requests.options(f"{url}/annotate", headers=asked, timeout=10)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:5000"
    assert response.headers["Access-Control-Allow-Headers"] == "x-requested-with"
    assert response.headers["Access-Control-Allow-Private-Network"] == "true"
    refused = requests.options(f"{url}/annotate", headers={**asked, "Origin": "null"}, timeout=10)
    assert refused.status_code == 403


def test_a_client_that_leaves(url: str, events: list[dict[str, Any]]) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nabc"
        )
    end = time.monotonic() + 5
    while not events and time.monotonic() < end:
        time.sleep(0.01)
    assert [event["text"] for event in events] == ["the client left before the file was here."]
    assert requests.get(f"{url}/health", timeout=10).json()["busy"] == 0


def test_answers_are_strict_json(url: str) -> None:
    content = post(f"{url}/predict", patch_bytes()).text
    assert json.loads(content, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize(
    ("error", "told", "logged"),
    [
        (EngineError("runs/x: TensorFlow failed"), "runs/x: TensorFlow failed", "runs/x: TensorFlow failed"),
        (RuntimeError("secret"), "internal error; see the server's log.", "RuntimeError: secret"),
    ],
)
def test_a_model_that_fails(
    engine: Engine, events: list[dict[str, Any]], error: Exception, told: str, logged: str
) -> None:
    with serving(BrokenEngine(engine, error), events) as url:
        response = post(f"{url}/predict", patch_bytes())
        assert requests.get(f"{url}/health", timeout=10).json()["busy"] == 0
    assert response.status_code == 500
    assert error_of(response) == told
    assert [event["text"] for event in events] == [logged]
