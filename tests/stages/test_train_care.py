"""A training that looks after itself, with a tiny model."""

from __future__ import annotations

import json

import pytest
from tiny_project import make_project, run_command

from kpt_tools.odapi import checkpoints
from kpt_tools.stages.best_checkpoint import read_best
from kpt_tools.stages.csv_log import read_rows

pytest.importorskip("object_detection")
pytestmark = [pytest.mark.odapi, pytest.mark.slow]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("project"))


def test_it_validates_stops_early_and_goes_on_past_a_damaged_checkpoint(project) -> None:
    run = project / "runs" / "train"
    done = run_command(
        project, "train", "--ema", "0.9", "--patience", "2", "--checkpoint-every", "1", "--steps", "30", "--no-eval"
    )
    assert done.returncode == 0, done.stderr
    assert "Next: kpt-tools eval" in done.stdout
    assert not (run / "eval").exists()
    best = read_best(run)
    assert best is not None
    stopped = json.loads((run / "run.json").read_text())["stopped_early"]
    assert stopped.startswith(f"oks_ap is not above {best.value:.3f} (step {best.step}) in the last 2 validations")
    assert f"Stopped early at step {best.step + 2} of 30: {stopped}." in done.stdout or best.step + 2 < 30
    steps = [int(row["step"]) for row in read_rows(run / "validation.csv")]
    assert steps[: best.step + 2] == list(range(1, best.step + 3))
    assert checkpoints.latest(run / "best").step == best.step
    assert (run / "first_batch.jpg").stat().st_size > 10_000
    assert not list((run / ".validation").glob("*"))

    last = checkpoints.latest(run)
    data = run / f"ckpt-{last.step}.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1000])
    again = run_command(
        project,
        "train",
        "--ema",
        "0.9",
        "--patience",
        "0",
        "--checkpoint-every",
        "9",
        "--steps",
        str(last.step + 2),
        "--no-eval",
    )
    assert again.returncode == 0, again.stderr
    assert f"ckpt-{last.step} cannot be read" in again.stderr
    assert f"Resumed from step {last.step - 1}." in again.stderr
    assert checkpoints.latest(run).step == last.step + 2
    rows = [int(row["step"]) for row in read_rows(run / "results.csv")]
    assert rows == sorted(set(rows))


def test_one_batch_is_learnt_by_heart(project) -> None:
    done = run_command(project, "train", "--overfit-one-batch", "--run", "runs/heart", "--steps", "120")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Model and data can learn." in done.stdout
    assert not (project / "runs" / "heart" / "checkpoint").exists()
    assert (project / "runs" / "heart" / "overfit" / "first_batch.jpg").is_file()


def test_weights_with_and_without_averages_are_not_mixed(project) -> None:
    refused = run_command(project, "train", "--steps", "40")
    assert refused.returncode == 2
    assert "was begun with --ema 0.9, now it is --ema 0. Use the same, or another --run." in refused.stderr
