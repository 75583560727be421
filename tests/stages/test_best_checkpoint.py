from __future__ import annotations

import pytest

from kpt_tools.errors import DataError
from kpt_tools.odapi import checkpoints
from kpt_tools.odapi.checkpoints import CheckpointFile
from kpt_tools.stages.best_checkpoint import Best, best_file, keep_best, read_best


def checkpoint(run, step: int, content: str) -> CheckpointFile:
    run.mkdir(exist_ok=True)
    for suffix in ("index", "data-00000-of-00001"):
        (run / f"ckpt-{step}.{suffix}").write_text(content)
    return CheckpointFile(run / f"ckpt-{step}", step)


def best(step: int, value: float) -> Best:
    return Best(step, "oks_ap", value, {"oks_ap": value, "box_ap": None})


def test_the_best_takes_the_place_of_the_one_before(tmp_path) -> None:
    run = tmp_path / "run"
    keep_best(run, checkpoint(run, 10, "ten"), best(10, 0.5))
    keep_best(run, checkpoint(run, 20, "twenty"), best(20, 0.6))
    assert read_best(run) == best(20, 0.6)
    names = sorted(path.name for path in (run / "best").iterdir())
    assert names == ["best.json", "checkpoint", "ckpt-20.data-00000-of-00001", "ckpt-20.index"]
    assert checkpoints.latest(run / "best") == CheckpointFile(run / "best" / "ckpt-20", 20)
    assert sorted(path.name for path in run.iterdir() if path.name.startswith(".")) == []


def test_it_stays_when_the_run_deletes_its_old_checkpoints(tmp_path) -> None:
    run = tmp_path / "run"
    keep_best(run, checkpoint(run, 10, "ten"), best(10, 0.5))
    for path in run.glob("ckpt-10.*"):
        path.unlink()
    assert (run / "best" / "ckpt-10.index").read_text() == "ten"


@pytest.mark.parametrize("write", ["write_text", "write_json"])
def test_interrupted_anywhere_one_of_the_two_is_whole(tmp_path, monkeypatch, write: str) -> None:
    """The process ends before one of the files is written."""
    run = tmp_path / "run"
    keep_best(run, checkpoint(run, 10, "ten"), best(10, 0.5))

    def killed(path, content) -> None:
        raise KeyboardInterrupt("killed")

    twenty = checkpoint(run, 20, "twenty")
    with monkeypatch.context() as patch:
        patch.setattr(f"kpt_tools.stages.best_checkpoint.{write}", killed)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            keep_best(run, twenty, best(20, 0.6))
    assert best_file(run) == CheckpointFile(run / "best" / "ckpt-10", 10)
    assert (run / "best" / "ckpt-10.index").read_text() == "ten"
    keep_best(run, checkpoint(run, 30, "thirty"), best(30, 0.7))
    assert best_file(run) == CheckpointFile(run / "best" / "ckpt-30", 30)
    names = sorted(path.name for path in (run / "best").iterdir())
    assert names == ["best.json", "checkpoint", "ckpt-30.data-00000-of-00001", "ckpt-30.index"]


def test_a_best_without_its_files_is_none(tmp_path) -> None:
    keep_best(tmp_path, checkpoint(tmp_path, 10, "ten"), best(10, 0.5))
    (tmp_path / "best" / "ckpt-10.index").unlink()
    assert best_file(tmp_path) is None


def test_no_best_is_none_and_a_damaged_one_is_one_clear_error(tmp_path) -> None:
    assert read_best(tmp_path) is None
    keep_best(tmp_path, checkpoint(tmp_path, 1, "one"), best(1, 0.1))
    (tmp_path / "best" / "best.json").write_text('{"step": "x"}')
    with pytest.raises(DataError, match=r"best\.json: damaged .* Remove the folder"):
        read_best(tmp_path)
