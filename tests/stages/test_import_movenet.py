"""What `import-movenet` refuses, and what it leaves behind; the import itself is in test_zoo_archives."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from kpt_tools.cli.main import run
from kpt_tools.config.import_movenet import ImportMovenetConfig
from kpt_tools.errors import ConfigError, DataError, EngineError
from kpt_tools.odapi import commands
from kpt_tools.odapi.movenet_map import expected
from kpt_tools.stages.import_movenet import import_movenet

TOP = "StatefulPartitionedCall/"


def weights(folder: Path, *, drop: str = "", **extra: np.ndarray) -> Path:
    """Arrays of the right names, whatever their shapes."""
    arrays = {name: np.zeros(1, np.float16) for name, _ in expected() if drop not in name or not drop}
    arrays |= {f"{TOP}Reshape": np.zeros(3), f"{TOP}truediv": np.full(3, 1 / 127.5)}
    arrays |= {f"{TOP}sub_1/y": np.ones(1), f"{TOP}add_5/y": np.full(1, 1.8)}
    np.savez(folder / "w.npz", **arrays, **extra)
    return folder / "w.npz"


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        pytest.param(
            {"drop": "kpt_regress"}, DataError, "5 of 141 arrays are missing, first '.*kpt_regress", id="missing"
        ),
        pytest.param({"box_scale": np.ones(1)}, DataError, "1 arrays have no place in the model", id="left-over"),
        pytest.param({f"{TOP}mul_2": np.array([np.nan])}, DataError, "are not finite", id="not-finite"),
    ],
)
def test_other_weights_are_refused_and_nothing_is_written(tmp_path: Path, change, error, match: str) -> None:
    path = weights(tmp_path, **change)
    with pytest.raises(error, match=match):
        import_movenet(ImportMovenetConfig(path, tmp_path / "models" / "movenet"))
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "movenet").mkdir()
    with pytest.raises(ConfigError, match=r"movenet: is there already\. Replace it with --force"):
        import_movenet(ImportMovenetConfig(weights(tmp_path), tmp_path / "movenet"))


def test_no_such_weights_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import-movenet", str(tmp_path / "gone.npz"), "--out", str(tmp_path / "movenet")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.odapi
def test_the_log_of_a_failed_import_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fails.py"
    program.write_text("print('building')\nraise ValueError('no room for weights')\n")
    monkeypatch.setattr(commands, "import_movenet_command", lambda *paths: [sys.executable, str(program)])
    models = tmp_path / "models"
    with pytest.raises(EngineError, match=r"ValueError: no room for weights .*models/movenet\.log"):
        import_movenet(ImportMovenetConfig(weights(tmp_path), models / "movenet"))
    assert [path.name for path in models.iterdir()] == ["movenet.log"]
    assert "building" in (models / "movenet.log").read_text()
