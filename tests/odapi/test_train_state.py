from __future__ import annotations

from types import SimpleNamespace

import pytest

from kpt_tools.errors import DataError
from kpt_tools.odapi.train_state import TrainState, damage
from kpt_tools.odapi.weight_averages import WeightAverages

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.odapi


class Model(tf.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = tf.Variable(value)


def parts(value: float = 0.0, step: int = 0) -> SimpleNamespace:
    return SimpleNamespace(model=Model(value), optimizer=tf.Module(), global_step=tf.Variable(step, dtype=tf.int64))


def save(folder, steps: list[int]) -> None:
    made = parts()
    state = TrainState(made, None, str(folder))
    for step in steps:
        made.global_step.assign(step)
        made.model.weight.assign(float(step))
        state.save(step)


def resumed(folder) -> SimpleNamespace:
    made = parts()
    TrainState(made, None, str(folder)).resume()
    return made


def test_a_new_run_stays_as_it_is(tmp_path) -> None:
    assert int(resumed(tmp_path).global_step) == 0


def test_a_run_goes_on_from_the_newest_checkpoint(tmp_path) -> None:
    save(tmp_path, [1, 2, 3, 4])
    found = resumed(tmp_path)
    assert (int(found.global_step), float(found.model.weight)) == (4, 4.0)
    assert len(list(tmp_path.glob("ckpt-*.index"))) == 3


@pytest.mark.parametrize("kind", ["truncated", "flipped", "no-data", "no-index"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(tmp_path, capsys, kind: str) -> None:
    save(tmp_path, [1, 2])
    data, index = tmp_path / "ckpt-2.data-00000-of-00001", tmp_path / "ckpt-2.index"
    content = data.read_bytes()
    if kind == "truncated":
        data.write_bytes(content[:3])
    elif kind == "flipped":
        data.write_bytes(bytes(byte ^ 0xFF for byte in content))
    else:
        (data if kind == "no-data" else index).unlink()
    assert damage(str(tmp_path / "ckpt-2"))
    found = resumed(tmp_path)
    assert (int(found.global_step), float(found.model.weight)) == (1, 1.0)
    assert '"kind": "damaged_checkpoint"' in capsys.readouterr().out


def test_no_readable_checkpoint_is_one_clear_error(tmp_path) -> None:
    save(tmp_path, [1, 2])
    for path in tmp_path.glob("ckpt-*.data*"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of its 2 checkpoints can be read\. Train anew into another folder"):
        resumed(tmp_path)


def test_the_saved_model_has_the_averages_and_a_resumed_one_the_weights(tmp_path) -> None:
    made = parts(1.0, step=5)
    averages = WeightAverages([made.model.weight], 0.5)
    made.model.weight.assign(9.0)
    with averages.in_place():
        TrainState(made, averages, str(tmp_path)).save(5)

    plain = parts()
    tf.train.Checkpoint(model=plain.model).restore(str(tmp_path / "ckpt-5")).expect_partial()
    assert float(plain.model.weight) == 1.0

    again = parts()
    new = WeightAverages([again.model.weight], 0.5)
    TrainState(again, new, str(tmp_path)).resume()
    assert (float(again.model.weight), float(new.shadows[0])) == (9.0, 1.0)
