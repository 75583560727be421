from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from annotator_server import Annotator
from PIL import Image
from serving import patch_bytes, serving

from kpt_tools.cli.main import run
from kpt_tools.cli.serve import _Log
from kpt_tools.config.serve import ServeConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.serve import address_of, model_name, serve
from kpt_tools.web.server import bind

GREY = io.BytesIO()
Image.new("RGB", (160, 120), (128, 128, 128)).save(GREY, "PNG")


@pytest.fixture
def events() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def url(engine: Engine, events: list[dict[str, Any]]) -> Iterator[str]:
    with serving(engine, events, max_upload_mb=0.2, max_megapixels=0.1) as address:
        yield address


def post(url: str, content: bytes, name: str = "a.png", field: str = "image", **options: Any) -> requests.Response:
    return requests.post(url, files={field: (name, content)}, timeout=10, **options)


def error_of(response: requests.Response) -> str:
    content = response.json()
    assert list(content) == ["error"]
    assert len(content["error"].splitlines()) == 1
    return str(content["error"])


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


class SlowEngine:
    """Looks as `inner` does, when `go` is set, and counts how many look at the same time."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.metadata = inner, inner.metadata
        self.go, self.looking = threading.Event(), threading.Semaphore(0)
        self.now = self.most = 0

    def detect(self, image: np.ndarray[Any, Any]) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        self.looking.release()
        assert self.go.wait(10)
        time.sleep(0.02)
        self.now -= 1
        return self.inner.detect(image)


def test_two_at_a_time_and_one_after_the_other(engine: Engine) -> None:
    slow = SlowEngine(engine)
    with serving(slow) as url, ThreadPoolExecutor(2) as pool:
        left = pool.submit(post, f"{url}/predict", patch_bytes(10, 10), "left.png")
        right = pool.submit(post, f"{url}/annotate", patch_bytes(90, 70), "right.png")
        slow.go.set()
        answers = left.result().json(), right.result().json()
    assert answers[0]["detections"][0]["box_xywh_px"] == pytest.approx([10, 10, 50, 20], abs=0.01)
    assert answers[1]["coco"]["annotations"][0]["bbox"] == pytest.approx([90, 70, 50, 20], abs=0.01)
    assert slow.most == 1


def test_no_endless_queue(engine: Engine) -> None:
    slow = SlowEngine(engine)
    with serving(slow, max_waiting=0) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, f"{url}/predict", patch_bytes())
        assert slow.looking.acquire(timeout=10)
        second = post(f"{url}/predict", patch_bytes())
        assert requests.get(f"{url}/health", timeout=10).json()["busy"] == 1, "the rest is answered meanwhile"
        slow.go.set()
        assert first.result().status_code == 200
        third = post(f"{url}/predict", patch_bytes())
    assert (second.status_code, second.headers["Retry-After"]) == (503, "2")
    assert error_of(second) == "1 pictures are waiting already; try again in a moment."
    assert third.status_code == 200


class BrokenEngine:
    def __init__(self, inner: Any, error: Exception) -> None:
        self.metadata, self.error = inner.metadata, error

    def detect(self, image: np.ndarray[Any, Any]) -> Any:
        raise self.error


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


class OtherEngine:
    """Gives the keypoints of another model."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.metadata = inner, inner.metadata

    def detect(self, image: np.ndarray[Any, Any]) -> Any:
        raw = dict(self.inner.detect(image))
        return {**raw, "detection_keypoints": raw["detection_keypoints"][:, :1]}


def test_the_models_fault_is_not_the_pictures(engine: Engine) -> None:
    with serving(OtherEngine(engine)) as url:
        response = post(f"{url}/predict", patch_bytes())
    assert response.status_code == 500
    assert "the model gives keypoints of shape [2, 1, 2]" in error_of(response)


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


# --- starting and ending


def test_start_looks_at_a_picture_and_tells_where(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("kpt_tools.web.server.serve_forever", lambda app, sock: seen.append(sock.getsockname()))
    events: list[dict[str, Any]] = []
    result = serve(ServeConfig(port=0, model=Path("runs/mice/export")), events.append, engine=engine)
    assert [event["kind"] for event in events] == ["phase", "phase", "listening"]
    assert events[-1]["model"]["name"] == "mice"
    assert result.url == events[-1]["url"] == f"http://127.0.0.1:{seen[0][1]}"


def test_open_to_the_network_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpt_tools.web.server.serve_forever", lambda app, sock: None)
    events: list[dict[str, Any]] = []
    serve(ServeConfig(host="0.0.0.0", port=0), events.append, engine=engine)
    (warning,) = [event["text"] for event in events if event["kind"] == "warning"]
    assert "--host 0.0.0.0: whoever can reach this machine" in warning


def test_a_model_that_does_not_run_is_found_at_start(engine: Engine) -> None:
    with pytest.raises(EngineError, match="out of memory"):
        serve(ServeConfig(port=0), engine=BrokenEngine(engine, EngineError("out of memory")))


def test_addresses_that_cannot_be_used() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^127\.0\.0\.1:{port}: another program listens there already; choose"):
            bind("127.0.0.1", port)
    with pytest.raises(ConfigError, match=r"203\.0\.113\.7:0: not an address of this machine"):
        bind("203.0.113.7", 0)
    with pytest.raises(ConfigError, match="--host no such host: no such address"):
        bind("no such host", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5005"),
        ("0.0.0.0", "http://127.0.0.1:5005"),
        ("::", "http://[::1]:5005"),
        ("::1", "http://[::1]:5005"),
        ("box.example", "http://box.example:5005"),
    ],
)
def test_address_to_open(host: str, url: str) -> None:
    assert address_of(host, 5005) == url


@pytest.mark.parametrize(("folder", "name"), [("runs/mice/export", "mice"), ("models/mice-v2", "mice-v2")])
def test_what_the_model_is_called(folder: str, name: str) -> None:
    assert model_name(Path(folder)) == name


SCRIPT = """
import sys, time
sys.path[:0] = {paths!r}
from conftest import RedPatchEngine
from pathlib import Path
from kpt_tools.config.serve import ServeConfig
from kpt_tools.stages.serve import serve

class Slow(RedPatchEngine):
    looked = 0
    def detect(self, image):
        self.looked += 1
        if self.looked > 1:
            print("looking", flush=True)
            time.sleep(0.5)
        return super().detect(image)

def tell(event):
    if event["kind"] == "listening":
        print(event["url"], flush=True)

try:
    serve(ServeConfig(port=0), tell, engine=Slow())
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.slow
def test_ctrl_c_lets_the_last_picture_be_answered(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "served.py"
    script.write_text(SCRIPT.format(paths=[str(repository), str(repository / "tests" / "stages")]))
    child = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        url = child.stdout.readline().strip()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(post, f"{url}/predict", patch_bytes())
            assert child.stdout.readline().strip() == "looking"
            child.send_signal(signal.SIGINT)
            assert len(answer.result().json()["detections"]) == 1
        out, err = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()
    assert (out.strip(), err) == ("stopped", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "runs/train/export: no such folder; expected an exported model"),
        (["--model", "run"], "Run: kpt-tools export run"),
        (["--port", "70000"], "port is 70000; expected 0 to 65535"),
        (["--min-score", "2"], "min_score is 2.0; expected a number from 0 to 1"),
        (["--max-upload-mb", "0"], "max_upload_mb is 0.0; expected more than 0"),
        (["--allow-origin", "localhost:5000"], "--allow-origin localhost:5000: expected scheme, host and port"),
        (["--allow-origin", "http://x/page"], "--allow-origin http://x/page: expected scheme, host and port"),
    ],
)
def test_command_line_errors(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for name in ("pipeline.config", "run.json"):
        (tmp_path / "run" / name).write_text("{}")
    assert run(["serve", *arguments]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_log_of_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    log = _Log(Console(highlight=False, markup=False, soft_wrap=True))
    classes = [{"name": "mouse", "keypoints": [{}, {}]}]
    log({"kind": "phase", "name": "loading the model"})
    log({"kind": "warning", "text": "open"})
    log({"kind": "listening", "url": "http://127.0.0.1:5005", "model": {"name": "mice", "classes": classes}})
    log({"kind": "request", "path": "/predict", "status": 200, "ms": 12, "text": "[a].png: 1 object"})
    out, err = capfd.readouterr()
    assert "Model 'mice': mouse (2 keypoints)" in out
    assert "coco-annotator annotate_url:  http://127.0.0.1:5005/annotate" in out
    assert out.splitlines()[-1].endswith("/predict 200 12 ms  [a].png: 1 object")
    assert err == "warning: open\n"


def test_help_tells_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--help"]) == 0
    text = capsys.readouterr().out
    assert "[default: 127.0.0.1]" in text
    assert "[default: 5005]" in text


def test_answers_are_strict_json(url: str) -> None:
    content = post(f"{url}/predict", patch_bytes()).text
    assert json.loads(content, parse_constant=lambda name: pytest.fail(name))
