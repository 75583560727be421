from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import BrokenEngine, patch_bytes, post

from kpt_tools.cli.main import run
from kpt_tools.cli.serve import _Log
from kpt_tools.config.serve import ServeConfig
from kpt_tools.errors import ConfigError, EngineError
from kpt_tools.inference.engine import Engine
from kpt_tools.stages.serve import address_of, model_name, serve
from kpt_tools.web.server import bind


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
from red_patch import RedPatchEngine
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
    script.write_text(SCRIPT.format(paths=[str(repository), str(repository / "tests")]))
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
