"""fetch and models as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from zoo_factories import HOURGLASS, MOBILE, file_member, serve, status, zoo_archive, zoo_folder

from kpt_tools.cli.main import run
from kpt_tools.zoo.catalogue import CATALOGUE


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def fetch(models: Path, *more: str, name: str = HOURGLASS) -> int:
    return run(["fetch", name, "--pretrained-models", str(models), "--attempts", "1", *more])


def test_fetch_says_what_it_wrote(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(zoo_archive(HOURGLASS, file_member("README"))) as server:
        assert fetch(models, "--url", server.url) == 0
    lines = capsys.readouterr().out.splitlines()
    folder = models / HOURGLASS
    assert lines[0] == f"Wrote {folder}"
    assert lines[1].startswith(f"  from    {server.url}/{HOURGLASS}.tar.gz (0.3 MB)")
    assert lines[2].startswith("  SHA-256 ")
    assert lines[3] == "  Left out, as it is not part of the model: README"
    assert lines[4] == f"Next: kpt-tools make-config --template centernet_hg104_512_kpts --pretrained {folder}"
    assert len(lines) == 5


def test_fetch_again_and_with_force(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(zoo_archive()) as server:
        assert fetch(models, "--url", server.url) == 0
        assert fetch(models, "--url", server.url) == 0
        assert f"Already there: {models / HOURGLASS}" in capsys.readouterr().out
        assert fetch(models, "--url", server.url, "--force") == 0
    assert "The model that was replaced came from the same archive." in capsys.readouterr().out


def test_a_model_without_template(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "centernet_resnet101_v1_fpn_512x512_coco17_tpu-8"
    (tmp_path / f"{name}.tar.gz").write_bytes(zoo_archive(name))
    assert fetch(models, "--url", str(tmp_path), name=name) == 0
    out = capsys.readouterr().out
    assert f"The archive is still there: {tmp_path / name}.tar.gz" in out
    assert "No shipped template has its feature extractor" in out


@pytest.mark.parametrize(
    ("data", "code", "exit_code", "message"),
    [
        (b"", 404, 1, "answered 404 Not Found; expected the archive"),
        (b"", 503, 1, "answered 503 Service Unavailable, after 1 tries in a row"),
        (b"no gzip", 0, 3, "starts with b'no gzip', which no gzip file does"),
        (zoo_archive(HOURGLASS, file_member("../x")), 0, 3, "member '../x' points out of the folder"),
    ],
    ids=["404", "503", "no-gzip", "hostile"],
)
def test_trouble_is_one_line_and_an_exit_code(
    models: Path, capsys: pytest.CaptureFixture[str], data: bytes, code: int, exit_code: int, message: str
) -> None:
    with serve(data, *([status(code)] if code else [])) as server:
        assert fetch(models, "--url", server.url) == exit_code
    captured = capsys.readouterr()
    assert captured.err.startswith("kpt-tools: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch"], "Missing argument 'NAME'"),
        (["fetch", "centernet_hg104_512_kpts"], "did you mean 'centernet_hg104_512x512_kpts_coco17_tpu-32'?"),
        (["fetch", HOURGLASS, "--sha256", "abc"], "--sha256 has 3 characters"),
        (["fetch", HOURGLASS, "--url", "nowhere"], "no such file nowhere"),
        (["fetch", HOURGLASS, "--timeout", "0"], "--timeout is 0.0"),
    ],
    ids=["no-name", "unknown", "sha256", "url", "timeout"],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(arguments) == 2
    assert message in capsys.readouterr().err


def test_models(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zoo_folder(models)
    (zoo_folder(models, MOBILE) / "pipeline.config").unlink()
    assert run(["models", "--pretrained-models", str(models)]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("   centernet")}
    assert list(rows) == [model.name for model in CATALOGUE]
    assert rows[HOURGLASS] == ["512", "40.0", "61.4", "76", "1.4", "GB", "yes,", "0.3", "MB"]
    assert rows["centernet_hg104_1024x1024_coco17_tpu-32"] == ["1024", "44.5", "-", "197", "1.4", "GB", "no"]
    assert rows[MOBILE][1:] == ["-", "41.7", "6", "45", "MB", *"not whole: no pipeline.config".split()]
    assert out.count("for --template ") == 5


@pytest.mark.parametrize("command", ["models", "fetch"])
def test_a_light_command(command: str, tmp_path: Path) -> None:
    """Neither TensorFlow nor OpenCV nor numpy is loaded."""
    arguments = [command] if command == "models" else [command, HOURGLASS, "--url", str(tmp_path / "x.tar.gz")]
    (tmp_path / "x.tar.gz").write_bytes(zoo_archive())
    program = (
        "import sys; from kpt_tools.cli.main import run; assert run(sys.argv[1:]) == 0\n"
        "assert not {'tensorflow', 'cv2', 'numpy', 'object_detection'} & set(sys.modules), 'heavy'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--pretrained-models", str(tmp_path / "models")],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
