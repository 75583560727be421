from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.odapi.checkpoints import CheckpointFile
from kpt_tools.stages.best_checkpoint import Best, keep_best
from kpt_tools.stages.checkpoint_choice import choose_checkpoint
from kpt_tools.stages.model_folder import export_is_current, exported_model, is_run, run_of
from kpt_tools.stages.parity_file import FORMAT


def make_export(folder: Path) -> Path:
    (folder / "saved_model").mkdir(parents=True)
    for name in ("saved_model/saved_model.pb", "label_map.pbtxt", "kpt_tools.json", "pipeline.config"):
        (folder / name).write_bytes(b"x")
    return folder


def make_run(folder: Path, *, step: int | None = None) -> Path:
    folder.mkdir(parents=True)
    for name in ("pipeline.config", "run.json"):
        (folder / name).write_bytes(b"x")
    if step is not None:
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-{step}"\n')
        make_checkpoint(folder, step)
    return folder


def make_checkpoint(folder: Path, step: int, content: bytes = b"x") -> CheckpointFile:
    for suffix in ("index", "data-00000-of-00001"):
        (folder / f"ckpt-{step}.{suffix}").write_bytes(content)
    return CheckpointFile(folder / f"ckpt-{step}", step)


def test_export_itself(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "model")
    assert exported_model(folder) == folder
    assert not is_run(folder)
    assert run_of(folder) is None


def test_a_project_folder_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "pipeline.config").write_bytes(b"x")
    assert not is_run(tmp_path)
    assert run_of(make_export(tmp_path / "model")) is None


def test_run_with_export(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    folder = make_export(run / "export")
    assert is_run(run)
    assert exported_model(run) == folder
    assert run_of(run) == run
    assert run_of(folder) == run.resolve()


def test_run_without_export(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"a run folder without an exported model; .* Run: kpt-tools export .*run"):
        exported_model(run)


def test_missing_and_foreign_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such folder; expected an exported model.*kpt-tools export"):
        exported_model(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"has no saved_model/saved_model\.pb, label_map\.pbtxt, kpt_tools\.json"):
        exported_model(tmp_path)
    model = make_export(tmp_path / "model")
    for name in ("kpt_tools.json", "pipeline.config"):
        (model / name).unlink()
    with pytest.raises(ConfigError, match=r"has no kpt_tools\.json; expected a folder that kpt-tools export wrote"):
        exported_model(model)


def write_origin(run: Path, origin: object) -> None:
    (run / "export" / "parity.json").write_text(json.dumps({"format": FORMAT, "checkpoint": origin, "checks": []}))


def test_an_export_is_current_while_it_is_of_the_wanted_checkpoint(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", step=30)
    assert not export_is_current(run, None), "no export yet"
    make_export(run / "export")
    assert not export_is_current(run, None), "nobody knows of which checkpoint it is"
    chosen = choose_checkpoint(run, None)
    assert chosen is not None
    write_origin(run, chosen.origin.to_dict())
    assert export_is_current(run, None)
    assert export_is_current(run, "last")
    keep_best(run, make_checkpoint(run, 20, b"better"), Best(20, "oks_ap", 0.5, {}))
    assert not export_is_current(run, None), "the best is another one"
    assert export_is_current(run, "last")
    (run / "ckpt-30.index").write_bytes(b"trained anew to the same step")
    assert not export_is_current(run, "last")


def test_export_without_checkpoints_is_current(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    make_export(run / "export")
    assert export_is_current(run, None)
