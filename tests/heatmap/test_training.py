"""The training loop: schedules, going on after a stop, and the best weights."""

from pathlib import Path

import numpy as np
import pytest

from kpt_tools.config.heatmap import Recipe
from kpt_tools.errors import ConfigError
from kpt_tools.fsio import read_json
from kpt_tools.heatmap.augment import AugmentPolicy
from kpt_tools.heatmap.examples import Patch
from kpt_tools.heatmap.geometry import scale_and_shift
from kpt_tools.heatmap.pipeline import Source, plain_batches, target_shape, training_batches
from kpt_tools.heatmap.training import STATE_NAME, Trainer, TrainingJob, learning_rate
from kpt_tools.records.tfrecord import write_record
from tests.heatmap_factories import draw_cat, nine_points, spec

RECIPE = Recipe(
    model="direct", target="points", region="whole", size=64, epochs=2, batch_size=4, learning_rate=1e-3, colour=0.1
)
SPEC = spec(model="direct", target="points", output_px=0)


def patch_of(record: bytes) -> Patch:
    """The record is a number; the picture is drawn from it."""
    rng = np.random.default_rng(int(record))
    points = nine_points(rng, 64, 64)
    image = np.asarray(draw_cat(rng, points, 64, 64))
    return Patch(
        record.decode(), int(record), image, np.array(points[:3], float), None, scale_and_shift(1, 1, 0, 0), (64, 64)
    )


def source(tmp_path: Path, count: int = 10, seed: int = 0) -> Source:
    path = tmp_path / f"patches{count}.record"
    with path.open("wb") as handle:
        for number in range(count):
            write_record(handle, str(number).encode())
    return Source((path,), patch_of, SPEC, AugmentPolicy(0.1, 0.2, 0.5), ((0, 1),), seed)


def job(tmp_path: Path, name: str = "run", **changes: object) -> TrainingJob:
    recipe = Recipe(**{**RECIPE.__dict__, **changes})
    return TrainingJob(tmp_path / name, source(tmp_path), source(tmp_path, 4), recipe, 10)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        pytest.param("constant", 0, 1.0, id="constant, first"),
        pytest.param("constant", 99, 1.0, id="constant, last"),
        pytest.param("cosine", 0, 1 / 3, id="cosine, rising"),
        pytest.param("cosine", 3, 1.0, id="cosine, top"),
        pytest.param("cosine", 99, 0.000262, id="cosine, last"),
    ],
)
def test_schedules(schedule: str, step: int, expected: float) -> None:
    assert learning_rate(Recipe(schedule=schedule, learning_rate=1.0), step, 100) == pytest.approx(expected, abs=1e-6)


@pytest.mark.odapi
def test_batches_are_the_same_for_the_same_epoch_and_can_be_skipped(tmp_path) -> None:
    own = source(tmp_path)
    first = [batch[0].numpy() for batch in training_batches(own, 4, epoch=1)]
    again = [batch[0].numpy() for batch in training_batches(own, 4, epoch=1, skip=1)]
    other = [batch[0].numpy() for batch in training_batches(own, 4, epoch=2)]
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert len(again) == 2
    assert all(np.array_equal(a, b) for a, b in zip(first[1:], again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.odapi
def test_plain_batches_keep_order_and_pictures(tmp_path) -> None:
    (batch,) = plain_batches(source(tmp_path, 3), 8)
    images, target, points, weights = (part.numpy() for part in batch)
    assert target.shape == (3, *target_shape(SPEC))
    assert points[2] * 64 == pytest.approx(patch_of(b"2").points)
    assert (images[2] == patch_of(b"2").image).all()
    assert weights.min() == 1


@pytest.mark.odapi
@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_end(tmp_path) -> None:
    straight = Trainer(job(tmp_path, "straight"), lambda kind, **values: None)
    assert not straight.run(lambda: False)
    calls = iter(range(100))
    first = Trainer(job(tmp_path, "stopped"), lambda kind, **values: None)
    assert first.run(lambda: next(calls) >= 3)  # in the middle of the second epoch
    assert int(first.step) == 4
    events: list[tuple[str, dict]] = []
    second = Trainer(job(tmp_path, "stopped"), lambda kind, **values: events.append((kind, values)))
    assert not second.run(lambda: False)
    assert events[0] == ("resumed", {"step": 4})
    assert [row["epoch"] for row in second.history] == [1, 2]
    assert second.history[-1]["val_error"] == pytest.approx(straight.history[-1]["val_error"], rel=0.02)
    state = read_json(tmp_path / "stopped" / STATE_NAME, what="state")
    assert state["step"] == 6
    assert state["best"]["val_error"] == min(row["val_error"] for row in state["history"])
    best = second.best_model().get_weights()
    assert len(list((tmp_path / "stopped" / "checkpoints").glob("best-*.index"))) == 1
    assert all(np.isfinite(part).all() for part in best)


@pytest.mark.odapi
def test_without_a_finished_epoch_there_are_no_best_weights(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no epoch was finished, so there are no weights to use"):
        Trainer(job(tmp_path), lambda kind, **values: None).best_model()
