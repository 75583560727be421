from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from annotator_data import pliers_database, tree, write_predictions
from annotator_server import Annotator, running

from kpt_tools.cli.annotator import command as command_group
from kpt_tools.cli.main import run
from kpt_tools.config.annotator import PASSWORD_VARIABLE


@pytest.fixture
def server() -> Iterator[Annotator]:
    with running(pliers_database()) as database:
        yield database


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    return write_predictions(tmp_path / "predictions.json")


@pytest.fixture
def command(server: Annotator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret")
    return ["--url", server.url, "--dataset", "pliers", "--user", "ann"]


def test_pull_command(command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["annotator", "pull", *command]) == 0
    out, err = capfd.readouterr()
    assert "dataset/annotations/pliers.json: 3 pictures with 3 objects." in out
    assert "dataset/images: 3 downloaded (0.0 MB), 0 were here, 0 missing." in out
    assert "Next: kpt-tools check dataset/annotations/pliers.json dataset/images" in out
    assert "s3cret" not in out + err


def test_pulled_into_a_folder_with_a_space(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["annotator", "pull", *command, "--out", "day 1"]) == 0
    assert "kpt-tools check 'day 1/annotations/pliers.json' 'day 1/images'" in capfd.readouterr().out


def test_push_command_tells_what_did_not_arrive(
    command: list[str], server: Annotator, predictions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.categories = {1: {**server.categories[15], "id": 1}, **server.categories}
    assert run(["annotator", "push", str(predictions), *command, "--wait", "0.1"]) == 3
    out, err = capfd.readouterr()
    assert "1 of them are not in the data set (see above)" in out
    assert "error: 1 of 1 objects are not in the data set after the import ('plier')" in err


def test_pull_command_with_a_loss(command: list[str], server: Annotator, capfd: pytest.CaptureFixture[str]) -> None:
    server.images[253]["file_name"] = "/etc/passwd"
    assert run(["annotator", "pull", *command]) == 3
    out, err = capfd.readouterr()
    assert "error: image 253: file name '/etc/passwd' is an absolute path" in err
    assert "2 downloaded" in out


def test_push_command(command: list[str], predictions: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["annotator", "push", str(predictions), *command, "--dry-run"]) == 0
    assert "Dry run: 1 objects on 1 pictures would be sent to 'pliers'. Nothing was sent." in capfd.readouterr().out
    assert run(["annotator", "push", str(predictions), *command]) == 0
    assert "'pliers': 1 objects on 1 pictures taken in." in capfd.readouterr().out


def test_the_password_is_in_no_file(command: list[str], server: Annotator, tmp_path: Path) -> None:
    assert run(["annotator", "pull", *command]) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 4
    assert not [path for path in written if b"s3cret" in path.read_bytes()]
    assert json.loads(server.bodies[0]) == {"username": "ann", "password": "s3cret"}


@pytest.mark.parametrize(
    ("arguments", "password", "code", "message"),
    [
        (
            ["--user", "ann", "--dataset", "plier"],
            "s3cret",
            2,
            "no data set 'plier' that 'ann' can see; did you mean 'pliers'?",
        ),
        (["--user", "ann", "--dataset", "pliers"], "wrong", 2, "the login of 'ann' was refused"),
        (["--user", "ann", "--dataset", "pliers"], None, 2, "no password for 'ann'; set KPT_TOOLS_PASSWORD"),
        (["--dataset", "pliers"], None, 2, "not logged in (Authorization required). Give --user"),
        (["--user", "ann"], "s3cret", 2, "no data set given; name one with --dataset"),
        (["--dataset", "x", "--timeout", "0"], None, 2, "--timeout is 0.0; expected seconds"),
        (["--dataset", "x", "--url", "ftp://x"], None, 2, "--url ftp://x: expected an http or https address"),
        (["--dataset", "x", "--all-images", "--no-images"], None, 2, "exclude each other"),
        (["--dataset", "x", "--url", "http://127.0.0.1:9"], None, 5, "the connection was refused"),
    ],
)
def test_one_line_per_error(
    arguments: list[str],
    password: str | None,
    code: int,
    message: str,
    server: Annotator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    if password:
        monkeypatch.setenv(PASSWORD_VARIABLE, password)
    given = arguments if "--url" in arguments else [*arguments, "--url", server.url]
    assert run(["annotator", "pull", *given]) == code
    error = capfd.readouterr().err
    assert error.startswith("kpt-tools: error: ")
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert tree(tmp_path) == []


def test_a_password_in_the_clear_is_told(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret")
    arguments = ["--url", "http://no-such-host.invalid", "--dataset", "x", "--user", "ann", "--timeout", "1"]
    assert run(["annotator", "pull", *arguments]) == 5
    assert "warning: http://no-such-host.invalid is not encrypted" in capfd.readouterr().err


def documented() -> list[str]:
    page = Path(__file__).parents[2] / "docs" / "annotator.md"
    return [line for line in page.read_text().splitlines() if line.startswith("kpt-tools annotator ")]


def test_documented_commands_are_there() -> None:
    assert len(documented()) >= 3


@pytest.mark.parametrize("line", documented())
def test_documented_commands_parse(line: str) -> None:
    _, _, name, *arguments = shlex.split(line)
    assert command_group.commands[name].make_context(name, arguments).params["dataset"] in ("pliers", "openfield")


@pytest.mark.parametrize("pattern", ["annotator/*.py", "stages/annotator_*.py"])
def test_every_code_is_documented(pattern: str, repository: Path) -> None:
    files = list((repository / "kpt_tools").glob(pattern))
    codes = {code for file in files for code in re.findall(r'"((?:upload|images?)-[a-z-]+)"', file.read_text())}
    page = (repository / "docs" / "annotator.md").read_text()
    assert len(codes) > 3
    assert not {code for code in codes if f"`{code}`" not in page}
