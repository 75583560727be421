"""Bad input on the command line: one line that says what to do, the right exit code, nothing written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from kpt_tools.cli.findings import print_finding_lines
from kpt_tools.cli.image_progress import ImageProgress
from kpt_tools.cli.main import run
from kpt_tools.entities import Finding


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"x")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pipeline.config").write_text("")
    (tmp_path / "run" / "run.json").write_text("{}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["infer"], "dataset/images: no such file or folder", id="default input missing"),
        pytest.param(["infer", "pictures"], "runs/train/export: no such folder", id="default model missing"),
        pytest.param(["infer", "pictures", "--model", "run"], "Run: kpt-tools export run", id="not exported"),
        pytest.param(["infer", "pictures", "--min-score", "3"], "min_score is 3.0; expected", id="score"),
        pytest.param(["infer", "*.png"], "*.png: the pattern matches no file", id="empty pattern"),
        pytest.param(["eval"], "runs/train: no such folder; expected a run", id="no run"),
        pytest.param(["eval", "run", "--records", "val*"], "val*: no such records", id="no records"),
        pytest.param(
            ["eval", "run", "--annotations", "a.json"], "--annotations and --images belong", id="half a truth"
        ),
    ],
)
def test_one_line_and_code_2(
    arguments: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert run(arguments) == 2
    error = capfd.readouterr().err
    assert message in error
    assert error.startswith("kpt-tools: error: ")
    assert len(error.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["infer", "eval"])
def test_help_tells_the_defaults(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert ("[default: 0.3]" if command == "infer" else "[default: bbox]") in text


def test_findings_a_line_each_worst_first(capfd: pytest.CaptureFixture[str]) -> None:
    findings = [Finding("a", "info", "not told")]
    findings += [Finding("b", "warning", f"warning {i} [odd]") for i in range(19)]
    findings += [Finding("c", "error", f"error {i}") for i in range(3)]
    print_finding_lines(findings, "out/run.json")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0] == "error: error 0"
    assert lines[3] == "warning: warning 0 [odd]"
    assert lines[20] == "... and 2 more in out/run.json"


def test_progress_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with ImageProgress(console) as progress:
        progress({"kind": "phase", "name": "detecting"})
        progress({"kind": "checkpoint", "step": 3})
        progress({"kind": "image", "done": 3, "total": 12})
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "detecting" in text
    assert "3/12 images" in text
    assert "images/s" in text


def test_speed_is_that_of_this_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that an earlier start has done come at once, before the phase that is timed; a new series begins at 1."""
    console = Console(file=io.StringIO(), force_terminal=False, width=100)
    monkeypatch.setattr("kpt_tools.cli.image_progress.LINE_INTERVAL_S", -1.0)
    clock = iter(range(1000))
    monkeypatch.setattr("kpt_tools.cli.image_progress.time.monotonic", lambda: float(next(clock)))
    with ImageProgress(console) as progress:
        progress({"kind": "image", "done": 1000, "total": 1100})
        progress({"kind": "phase", "name": "detecting"})
        progress({"kind": "image", "done": 1003, "total": 1100})
        progress({"kind": "phase", "name": "comparing"})
        progress({"kind": "image", "done": 2, "total": 4})
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines()[1:] == ["1003/1100 images, 3.0 images/s", "2/4 images, 2.0 images/s"]


def test_progress_in_a_file_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=100)
    monkeypatch.setattr("kpt_tools.cli.image_progress.LINE_INTERVAL_S", -1.0)
    with ImageProgress(console) as progress:
        progress({"kind": "phase", "name": "detecting"})
        progress({"kind": "image", "done": 1, "total": None})
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().startswith("1/? images, ")
