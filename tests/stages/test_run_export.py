from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.stages.checkpoint_choice import Origin
from kpt_tools.stages.parity_file import FORMAT, exported_origin
from kpt_tools.stages.run_export import exported_for, origin_findings

ORIGIN = Origin("best", 20, "0" * 64, "oks_ap", 0.625)


def make_export(folder: Path, origin: Origin | None = None) -> Path:
    (folder / "saved_model").mkdir(parents=True)
    for name in ("saved_model/saved_model.pb", "label_map.pbtxt", "kpt_tools.json"):
        (folder / name).write_bytes(b"x")
    report = {"format": FORMAT, "checks": []} | ({"checkpoint": origin.to_dict()} if origin else {})
    (folder / "parity.json").write_text(json.dumps(report))
    return folder


def make_run(folder: Path, step: int) -> Path:
    folder.mkdir()
    for name in ("pipeline.config", "run.json", f"ckpt-{step}.index", f"ckpt-{step}.data-00000-of-00001"):
        (folder / name).write_bytes(b"x")
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-{step}"\n')
    return folder


def nothing_happens(event: dict[str, object]) -> None:
    raise AssertionError(event)


def test_an_export_that_stands_alone_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "export", ORIGIN)
    assert exported_for(folder, None, nothing_happens) == folder
    assert exported_origin(folder) == ORIGIN
    with pytest.raises(ConfigError, match=r"export: is no run folder, so there is no --checkpoint last\. Leave it out"):
        exported_for(folder, "last", nothing_happens)


def test_a_named_export_is_not_made_anew_unless_a_checkpoint_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", step=30)
    folder = make_export(run / "export", ORIGIN)
    assert exported_for(folder, None, nothing_happens) == folder
    with pytest.raises(AssertionError, match="exporting the last checkpoint, step 30"):
        exported_for(folder, "last", nothing_happens)
    with pytest.raises(AssertionError, match="exporting the last checkpoint, step 30"):
        exported_for(run, None, nothing_happens)


def test_what_is_said_of_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", step=30)
    folder = make_export(run / "export", ORIGIN)
    (finding,) = origin_findings(folder, ORIGIN)
    assert (finding.code, finding.severity) == ("checkpoint-used", "info")
    assert finding.message == (
        f"{folder}: the best checkpoint, step 20 (oks_ap 0.625 while training); the last is step 30."
    )
    (alone,) = origin_findings(make_export(tmp_path / "alone"), Origin("last", 30, "0" * 64))
    assert alone.message.endswith("alone: the last checkpoint, step 30.")
    assert origin_findings(folder, None) == origin_findings(None, None) == ()
