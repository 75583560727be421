"""Options of `kpt-tools export`, and its tables."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from kpt_tools.cli.export_tables import parity_tables
from kpt_tools.cli.main import run
from kpt_tools.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "match"),
    [
        pytest.param(["--format", "onxx"], "--format 'onxx'; did you mean 'onnx'", id="format"),
        pytest.param(["--precision", "int4"], "--precision 'int4'; did you mean 'int8'", id="precision"),
        pytest.param(["--format", "onnx,tflte"], "--format 'tflte'; did you mean 'tflite'", id="with commas"),
        pytest.param(["--format", ","], "no --format given; expected one of saved_model, onnx", id="none"),
        pytest.param(["--format", "tflite", "--precision", "bfloat16"], "tflite is not made in bfloat16", id="pair"),
        pytest.param(["--parity-images", "0"], "--parity-images 0; expected at least 1", id="pictures"),
        pytest.param(["--ap-images", "-1"], "--ap-images -1; expected 0 or more", id="pictures for AP"),
        pytest.param([], "no checkpoint found; expected the run folder of kpt-tools train", id="no run"),
    ],
)
def test_what_cannot_be_meant(tmp_path, capsys: pytest.CaptureFixture[str], options: list[str], match: str) -> None:
    assert run(["export", str(tmp_path), *options]) == ConfigError.exit_code
    assert match in capsys.readouterr().err


def check(model: str = "onnx/model_int8.onnx", precision: str = "int8", **changes: Any) -> dict[str, Any]:
    spread = {"count": 7, "largest": 0.25}
    comparison = {"box_px": spread, "keypoint_px": spread, "score": spread, "ranked_score": {"largest": 0.125}}
    return {
        "model": model,
        "precision": precision,
        "good": True,
        "comparison": comparison | {"lost": [1, 2], "gained": [3]} | changes.pop("comparison", {}),
        "average_precision": [{"name": "box AP", "original": 0.5, "exported": 0.475}],
        "seconds_per_picture": 0.0421,
        "pictures": {"real": True, "compared": 4, "annotated": 9, "average_precision": {"box AP": 0.5}},
    } | changes


def printed(*checks: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=80)
    for table in parity_tables(checks):
        console.print(table)
    return console.file.getvalue()


def test_a_row_per_model() -> None:
    text = printed(check("saved_model", "float32"), check())
    rows = [line.split("│")[1:-1] for line in text.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["saved_model", "0.250", "0.250", "0.2500", "3", "-0.025", "n/a", "42"],
        ["onnx int8", "0.250", "0.250", "0.2500", "3", "-0.025", "n/a", "42"],
    ]
    assert "Compared with the checkpoint on 4 pictures; its box AP 0.500 on 9" in " ".join(text.split())


def test_where_nothing_was_detected_scores_are_those_by_rank() -> None:
    nothing = {"count": 0, "largest": None}
    assert "0.1250" in printed(check(comparison={"score": nothing, "box_px": nothing}))


def test_other_pictures_make_another_table_and_made_up_ones_are_called_so() -> None:
    made_up = {"real": False, "compared": 8, "annotated": 0, "average_precision": {}}
    text = " ".join(printed(check(), check(pictures=made_up)).split())
    assert text.count("Compared with the checkpoint") == 2
    assert "8 made-up pictures; AP not measured" in text


def test_what_was_refused_is_marked() -> None:
    assert "✗ onnx int8" in printed(check(good=False))
    assert "✗ onnx" not in printed(check())


def test_nothing_is_cut_off_at_80_columns() -> None:
    assert "…" not in printed(check("openvino/model_bfloat16.xml", "bfloat16", seconds_per_picture=4.83))
