from __future__ import annotations

import pytest

from kpt_tools.odapi import checkpoints


def write_checkpoint(run, name: str) -> None:
    (run / f"{name}.index").write_bytes(b"i")
    (run / f"{name}.data-00000-of-00001").write_bytes(b"d")
    (run / "checkpoint").write_text(
        f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "ckpt-1"\nall_model_checkpoint_paths: "{name}"\n'
    )


def test_latest_is_what_the_state_file_names(tmp_path) -> None:
    write_checkpoint(tmp_path, "ckpt-1")
    write_checkpoint(tmp_path, "ckpt-40")
    found = checkpoints.latest(tmp_path)
    assert found == checkpoints.CheckpointFile(tmp_path / "ckpt-40", 40)


def test_a_moved_run_is_found_by_name(tmp_path) -> None:
    write_checkpoint(tmp_path, "ckpt-7")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/run/ckpt-7"\n')
    found = checkpoints.latest(tmp_path)
    assert found is not None
    assert found.prefix == tmp_path / "ckpt-7"


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(None, id="no-state-file"),
        pytest.param("", id="empty"),
        pytest.param('model_checkpoint_path: "ckpt-9"\n', id="files-gone"),
        pytest.param('model_checkpoint_path: "model"\n', id="no-step"),
    ],
)
def test_none_where_nothing_can_be_restored(tmp_path, state: str | None) -> None:
    if state is not None:
        (tmp_path / "checkpoint").write_text(state)
    assert checkpoints.latest(tmp_path) is None


def test_exists_wants_index_and_data(tmp_path) -> None:
    (tmp_path / "ckpt-0.index").write_bytes(b"i")
    assert not checkpoints.exists(tmp_path / "ckpt-0")
    (tmp_path / "ckpt-0.data-00000-of-00001").write_bytes(b"d")
    assert checkpoints.exists(tmp_path / "ckpt-0")


def test_the_latest_can_be_forgotten_and_so_on_to_the_first(tmp_path) -> None:
    write_checkpoint(tmp_path, "ckpt-1")
    write_checkpoint(tmp_path, "ckpt-40")
    assert checkpoints.forget_latest(tmp_path) == checkpoints.CheckpointFile(tmp_path / "ckpt-1", 1)
    assert (tmp_path / "ckpt-40.index").exists()
    assert checkpoints.forget_latest(tmp_path) is None
    assert checkpoints.forget_latest(tmp_path) is None
    assert not (tmp_path / "checkpoint").exists()


def test_leftovers_are_what_a_killed_writer_left(tmp_path) -> None:
    write_checkpoint(tmp_path, "ckpt-1")
    write_checkpoint(tmp_path, "ckpt-40")
    wanted = sorted(path.name for path in tmp_path.iterdir())
    (tmp_path / "ckpt-50_temp").mkdir()
    left = ["ckpt-50_temp", "ckpt-45.index", "ckpt-45.data-00000-of-00001", "checkpoint.tmp0f", ".run.json.x_y1.tmp"]
    for name in left[1:]:
        (tmp_path / name).write_bytes(b"x")
    for name in ("ckpt-notes.txt", "results.csv", "first_batch.jpg", ".lock"):
        (tmp_path / name).write_bytes(b"x")
    assert sorted(path.name for path in checkpoints.leftovers(tmp_path)) == sorted(left)
    (tmp_path / "checkpoint").unlink()
    found = {path.name for path in checkpoints.leftovers(tmp_path)}
    assert found == set(left) - {"ckpt-45.index", "ckpt-45.data-00000-of-00001"}, "nobody knows which were wanted"
    assert found.isdisjoint(wanted)
    assert checkpoints.leftovers(tmp_path / "no-run") == []
