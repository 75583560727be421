"""Transfer between real, small CenterNets."""

from __future__ import annotations

import numpy as np
import pytest
from transfer_factories import (
    build,
    config_text,
    label_map,
    model_config,
    output,
    parsed,
    save_run,
    save_zoo,
    task_text,
    values,
)

pytest.importorskip("tensorflow")
pytest.importorskip("object_detection")

from kpt_tools.errors import ConfigError
from kpt_tools.odapi import compat, run_config
from kpt_tools.odapi.transfer import transfer
from kpt_tools.odapi.transfer_graph import assign_all
from kpt_tools.pipeline.label_map import parse_label_map
from kpt_tools.pipeline.resources import load_label_map_text

# The OD API's own modules warn at import, and Keras while it builds.
pytestmark = [pytest.mark.odapi, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

COCO = parse_label_map(load_label_map_text("coco_person"), "coco_person")
NEW = label_map(dog=(), person=("tail", "right_eye", "nose", "hat", "left_ankle"))
EXTRACTOR = 70
HEAD = 4
"""Variables of a head: kernel and bias of its convolution, kernel and bias of its output."""


@pytest.fixture(scope="module", autouse=True)
def _odapi():
    compat.activate()


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A model of people with 17 keypoints in the zoo's layout, and its prefix."""
    folder = tmp_path_factory.mktemp("people")
    config = model_config(folder, COCO, prefix="human_")
    model = build(config, seed=1)
    return model, config, save_zoo(folder, model, config)


def parts(report) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(part.part, part.task): (part.restored, part.adapted, part.fresh) for part in report.parts}


def assert_equal(found, expected) -> None:
    assert len(found) == len(expected) > 0
    for (name, a), b in zip(found.items(), expected.values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("save", [pytest.param(save_zoo, id="zoo-or-export"), pytest.param(save_run, id="run")])
def test_the_same_model_is_restored_bit_for_bit(tmp_path, save) -> None:
    config = model_config(tmp_path, label_map(mouse=("snout", "tail"), box=()))
    source, model = build(config, seed=1), build(config, seed=2)
    report = transfer(model, config, save(tmp_path, source, config))
    assert_equal(values(model), values(source))
    assert parts(report) == {
        ("feature extractor", ""): (EXTRACTOR, 0, 0),
        ("object centre", ""): (HEAD, 0, 0),
        ("box size", ""): (HEAD, 0, 0),
        ("box offset", ""): (HEAD, 0, 0),
        ("keypoint heat map", "mouse"): (HEAD, 0, 0),
        ("keypoint regression", "mouse"): (HEAD, 0, 0),
        ("keypoint offset", "mouse"): (HEAD, 0, 0),
    }
    assert report.unused == 0


def test_other_keypoints_and_classes_take_the_rows_of_their_names(people, tmp_path) -> None:
    source, _, prefix = people
    config = model_config(tmp_path, NEW)
    model = build(config, seed=2)
    before = {head: output(model, head) for head in model.prediction_head_dict}
    report = transfer(model, config, prefix)
    assert parts(report) == {
        ("feature extractor", ""): (EXTRACTOR, 0, 0),
        ("object centre", ""): (2, 2, 0),
        ("box size", ""): (HEAD, 0, 0),
        ("box offset", ""): (HEAD, 0, 0),
        ("keypoint heat map", "person"): (2, 2, 0),
        ("keypoint regression", "person"): (2, 2, 0),
        ("keypoint offset", "person"): (2, 2, 0),
    }
    heat_map = next(part for part in report.parts if part.part == "keypoint heat map")
    assert (heat_map.source_task, heat_map.kept, heat_map.new) == (
        "human_person",
        ("right_eye", "nose", "left_ankle"),
        ("tail", "hat"),
    )
    rows_of_points = {1: 2, 2: 0, 4: 15}  # right_eye, nose, left_ankle: slot here, slot of COCO
    rows_of_yx = {2 * new + axis: 2 * old + axis for new, old in rows_of_points.items() for axis in (0, 1)}
    for head, old_head, rows in [
        ("object_center", "object_center", {1: 0}),
        ("person/keypoint/heatmap", "human_person/keypoint/heatmap", rows_of_points),
        ("person/keypoint/offset", "human_person/keypoint/offset", rows_of_yx),
        ("person/keypoint/regression", "human_person/keypoint/regression", rows_of_yx),
    ]:
        # New channels: weights of zero, and the bias of a new model.
        starts = (np.zeros_like(before[head][0]), before[head][1])
        for found, start, given in zip(output(model, head), starts, output(source, old_head), strict=True):
            for row in range(found.shape[-1]):
                expected = given[..., rows[row]] if row in rows else start[..., row]
                np.testing.assert_array_equal(found[..., row], expected, err_msg=f"{head} {row}")


def test_detection_takes_the_feature_extractor_only_as_the_od_api_does(people, tmp_path) -> None:
    import tensorflow as tf

    config = model_config(tmp_path, NEW)
    ours, theirs = build(config, seed=2), build(config, seed=2)
    report = transfer(ours, config, people[2], "detection")
    tf.train.Checkpoint(**theirs.restore_from_objects("detection")).restore(
        str(people[2])
    ).expect_partial().assert_existing_objects_matched()
    assert_equal(values(ours), values(theirs))
    found = parts(report)
    assert found.pop(("feature extractor", "")) == (EXTRACTOR, 0, 0)
    assert set(found.values()) == {(0, 0, HEAD)}
    assert report.unused == 6 * HEAD


def test_full_takes_everything_or_says_what_does_not_fit(people, tmp_path) -> None:
    source, config, prefix = people
    model = build(config, seed=2)
    assert len(transfer(model, config, prefix, "full").steps) == EXTRACTOR + 6 * HEAD
    assert_equal(values(model), values(source))

    other = model_config(tmp_path, NEW, prefix="human_")
    model = build(other, seed=3)
    before = values(model)
    with pytest.raises(
        ConfigError, match=r"--transfer full cannot restore 8 of 94 variables, first '.*object_center.*'"
    ):
        transfer(model, other, prefix, "full")
    assert_equal(values(model), before)


def test_without_config_and_label_map_the_convolutions_are_taken(people, tmp_path) -> None:
    config = model_config(tmp_path, NEW)
    prefix = save_zoo(tmp_path / "bare", people[0], None)
    report = transfer(build(config, seed=2), config, prefix)
    assert parts(report)[("keypoint heat map", "person")] == (2, 0, 2)
    assert parts(report)[("object centre", "")] == (2, 0, 2)


def test_the_zoos_people_are_known_without_a_label_map(people, tmp_path) -> None:
    labels = [keypoint.label for keypoint in COCO.items[0].keypoints]
    text = config_text(1, [task_text("human_person", "/m/01g317", labels=labels)])
    prefix = save_zoo(tmp_path / "zoo", people[0], parsed(text))
    config = model_config(tmp_path, NEW)
    report = transfer(build(config, seed=2), config, prefix)
    assert parts(report)[("keypoint heat map", "person")] == (2, 2, 0)
    assert parts(report)[("object centre", "")] == (2, 2, 0)


@pytest.mark.parametrize(
    ("beside", "match"),
    [
        pytest.param(True, "its feature extractor is hourglass_10, this model's is mobilenet_v2_fpn: ", id="config"),
        pytest.param(False, "its feature extractor is unknown .*, this model's is mobilenet_v2_fpn: ", id="no-config"),
    ],
)
def test_another_extractor_is_refused_and_nothing_changes(people, tmp_path, beside: bool, match: str) -> None:
    prefix = save_zoo(tmp_path / "source", people[0], people[1] if beside else None)
    config = model_config(tmp_path, NEW, extractor="mobilenet_v2_fpn")
    model = build(config, seed=2)
    before = values(model)
    with pytest.raises(ConfigError, match=match):
        transfer(model, config, prefix)
    assert_equal(values(model), before)


def test_values_that_are_not_finite_are_refused_and_nothing_changes(tmp_path) -> None:
    config = model_config(tmp_path, label_map(mouse=("snout",)))
    source, model = build(config, seed=1), build(config, seed=2)
    bias = source.prediction_head_dict["mouse/keypoint/regression"][0].layers[-1].bias
    bias.assign(bias * np.nan)
    before = values(model)
    with pytest.raises(ConfigError, match=r"regression.*holds values that are not finite"):
        transfer(model, config, save_zoo(tmp_path, source, config))
    assert_equal(values(model), before)


def test_an_error_in_the_middle_changes_nothing(tmp_path) -> None:
    config = model_config(tmp_path, label_map(mouse=("snout",)))
    model = build(config)
    before = values(model)

    class Unwilling:
        def numpy(self) -> float:
            return 0.0

        def assign(self, value: float) -> None:
            if value:
                raise RuntimeError("no room")

    given = [(variable, variable.numpy() + 1) for variable in model.variables]
    middle = len(given) // 2
    with pytest.raises(RuntimeError, match="no room"):
        assign_all([*given[:middle], (Unwilling(), 1.0), *given[middle:]])
    assert_equal(values(model), before)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        pytest.param("missing", "cannot be read .*Copy or download it again", id="missing"),
        pytest.param("cut", "cannot be read .*Copy or download it again", id="data-cut-short"),
        pytest.param("flipped", "cannot be read .*Copy or download it again", id="data-with-a-wrong-byte"),
        pytest.param("foreign", "holds no detection model", id="no-model"),
    ],
)
def test_damaged_checkpoints_are_refused_and_nothing_changes(people, tmp_path, damage: str, match: str) -> None:
    import tensorflow as tf

    config = model_config(tmp_path, NEW)
    prefix = tmp_path / "ckpt-1"
    if damage in ("cut", "flipped"):
        prefix = save_zoo(tmp_path / damage, people[0], None)
        (data,) = prefix.parent.glob("*.data-*")
        content = bytearray(data.read_bytes())
        content[50_000] ^= 0xFF
        data.write_bytes(content if damage == "flipped" else content[:100_000])
    elif damage == "foreign":
        tf.train.Checkpoint(other=tf.Variable(1.0)).write(str(prefix))
    model = build(config)
    before = values(model)
    with pytest.raises(ConfigError, match=match):
        transfer(model, config, prefix)
    assert_equal(values(model), before)


def test_the_zoos_mobilenet_config_needs_its_flag_to_be_restored(tmp_path) -> None:
    """Why the OD API "cannot restore" the zoo's MobileNetV2-FPN: the type's name alone builds other convolutions."""
    import tensorflow as tf

    names = label_map(person=("nose", "left_eye"))
    flag = {"extractor": "mobilenet_v2_fpn_sep_conv", "more": "use_separable_conv: true"}
    config = model_config(tmp_path, names, **flag)
    source = build(config, seed=1)
    prefix = save_zoo(tmp_path, source, config)
    as_published = model_config(tmp_path / "zoo", names, extractor="mobilenet_v2_fpn_sep_conv")

    def restore_as_the_od_api_does(model) -> None:
        checkpoint = tf.train.Checkpoint(**model.restore_from_objects("detection"))
        checkpoint.restore(str(prefix)).expect_partial().assert_existing_objects_matched()

    with pytest.raises(AssertionError, match="Found 3 Python objects that were not bound to checkpointed values"):
        restore_as_the_od_api_does(build(as_published, seed=2))
    resolved = run_config.resolve(as_published, label_map=tmp_path / "label_map.pbtxt", steps=None, fresh=False)
    model = build(resolved, seed=3)
    restore_as_the_od_api_does(model)
    again = build(resolved, seed=4)
    report = transfer(again, resolved, prefix)
    assert all(part.fresh == part.adapted == 0 for part in report.parts)
    assert_equal(values(again), values(source))
