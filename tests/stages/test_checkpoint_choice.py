from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.odapi.checkpoints import CheckpointFile
from kpt_tools.stages.best_checkpoint import Best, keep_best
from kpt_tools.stages.checkpoint_choice import Origin, choose_checkpoint


def checkpoint(run: Path, step: int) -> CheckpointFile:
    for suffix in ("index", "data-00000-of-00001"):
        (run / f"ckpt-{step}.{suffix}").write_text(f"values of step {step}")
    (run / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-{step}"\n')
    return CheckpointFile(run / f"ckpt-{step}", step)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Best at step 20, trained to step 30."""
    keep_best(tmp_path, checkpoint(tmp_path, 20), Best(20, "oks_ap", 0.6251, {"oks_ap": 0.6251}))
    checkpoint(tmp_path, 30)
    return tmp_path


@pytest.mark.parametrize(
    ("which", "prefix", "text"),
    [
        pytest.param(None, "best/ckpt-20", "the best checkpoint, step 20 (oks_ap 0.625 while training)", id="default"),
        pytest.param("best", "best/ckpt-20", "the best checkpoint, step 20 (oks_ap 0.625 while training)", id="best"),
        pytest.param("last", "ckpt-30", "the last checkpoint, step 30", id="last"),
    ],
)
def test_what_is_taken_and_said(run: Path, which: str | None, prefix: str, text: str) -> None:
    chosen = choose_checkpoint(run, which)
    assert chosen is not None
    assert chosen.file == CheckpointFile(run / prefix, chosen.origin.step)
    assert chosen.origin.text == text
    assert Origin.of(chosen.origin.to_dict()) == chosen.origin


def test_the_fingerprint_is_that_of_the_values(run: Path) -> None:
    last = choose_checkpoint(run, "last")
    checkpoint(run, 30)
    assert choose_checkpoint(run, "last") == last
    (run / "ckpt-30.index").write_text("values of another training")
    again = choose_checkpoint(run, "last")
    assert last is not None
    assert again is not None
    assert again.origin == replace(last.origin, sha256=again.origin.sha256) != last.origin


def test_where_nothing_was_validated_it_is_the_last(tmp_path: Path) -> None:
    assert choose_checkpoint(tmp_path, None) is None
    assert choose_checkpoint(tmp_path, "best") is None
    checkpoint(tmp_path, 7)
    chosen = choose_checkpoint(tmp_path, None)
    assert chosen is not None
    assert chosen.origin.text == "the last checkpoint, step 7"
    with pytest.raises(ConfigError, match=r"keeps no best checkpoint, .* its last is step 7\. Use --checkpoint last"):
        choose_checkpoint(tmp_path, "best")


@pytest.mark.parametrize("content", [None, {}, {"step": 3}, "ckpt-3"])
def test_exports_of_before_tell_nothing(content: object) -> None:
    assert Origin.of(content) is None
