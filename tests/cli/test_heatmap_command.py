"""`kpt-tools heatmap`: what it prints, and its exit codes."""

import pytest
from rich.console import Console

from kpt_tools.cli.heatmap_tables import HeatmapProgress
from kpt_tools.cli.main import run
from tests.heatmap_factories import cat_folder


@pytest.mark.parametrize("name", ["prepare", "train", "eval", "infer", "export"])
def test_every_command_has_help(name: str, capsys) -> None:
    assert run(["heatmap", name, "--help"]) == 0
    assert "Usage: kpt-tools heatmap" in capsys.readouterr().out


def test_prepare_prints_the_sizes(tmp_path, capsys) -> None:
    folder = cat_folder(tmp_path / "cats", 15)
    assert run(["heatmap", "prepare", str(folder), "--out", str(tmp_path / "data"), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "train" in out
    assert "Used 15 of 15 objects in 15 pictures of class 'cat': left_eye, right_eye, mouth." in out
    assert "Swapped in mirror images: left_eye <-> right_eye." in out
    assert f"Next: kpt-tools heatmap train --data {tmp_path / 'data'}" in out


def test_losses_of_data_are_exit_code_3(tmp_path, capsys) -> None:
    folder = cat_folder(tmp_path / "cats", 15)
    (folder / "00000000_000.jpg.cat").write_text("9 1")
    assert run(["heatmap", "prepare", str(folder), "--out", str(tmp_path / "data"), "--workers", "1"]) == 3
    assert "00000000_000.jpg.cat: has 1 coordinates; expected the count 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["prepare", "nowhere.json"], 2, "nowhere.json: no such file; expected a COCO JSON", id="source"),
        pytest.param(["prepare", "."], 2, "no file NAME.jpg.cat in it", id="no cats"),
        pytest.param(["train", "--data", "nowhere"], 2, "expected a manifest of patches", id="data"),
        pytest.param(["eval", "nowhere", "--data", "nowhere"], 2, "expected a manifest of patches", id="eval"),
        pytest.param(["infer", ".", "--model", "nowhere"], 2, "expected a run of kpt-tools heatmap train", id="infer"),
        pytest.param(["export", "nowhere"], 2, "no such file; expected a job of a heatmap training", id="export"),
        pytest.param(["train", "--model", "vgg"], 2, "'vgg' is not one of", id="choice"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, code, message) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["heatmap", *arguments]) == code
    assert message in capsys.readouterr().err


def test_epochs_are_lines_of_the_progress(capsys) -> None:
    console = Console(file=None, force_terminal=False, width=200)
    with HeatmapProgress(console) as progress:
        progress({"kind": "model", "parameters": 678371})
        progress(
            {"kind": "epoch", "epoch": 3, "epochs": 9, "best": 3, "loss": 0.5, "val_loss": 0.25, "val_error": 0.031}
        )
        progress({"kind": "epoch", "epoch": 4, "epochs": 9, "best": 3, "loss": 0.5, "val_loss": 0.3, "val_error": 0.04})
        progress({"kind": "step", "step": 9, "steps": 9, "losses": {"Loss/total_loss": 0.4}, "images_per_s": 7.0})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "678,371 parameters."
    assert lines[1] == "epoch 3/9: loss 0.5000, val 0.2500, error 3.10% of the input's side, kept as the best"
    assert lines[2].endswith("error 4.00% of the input's side; best: epoch 3")
    assert lines[3] == "step 9/9 loss 0.400 7.0 img/s"
