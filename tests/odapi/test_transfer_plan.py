"""Tables of what is taken from where; no TensorFlow."""

from __future__ import annotations

import json

import pytest

from kpt_tools.odapi.transfer_names import ModelNames, TaskNames
from kpt_tools.odapi.transfer_plan import (
    ADAPTED,
    DETECTION,
    FRESH,
    FULL,
    MATCH,
    RESTORED,
    Pair,
    PartReport,
    Step,
    TransferReport,
    channel_rows,
    extractor_share,
    misfits,
    part_reports,
    plan_exact,
    plan_match,
    source_heads,
    source_tasks,
)


def names(classes=("mouse",), **tasks) -> ModelNames:
    """``names(("mouse",), pose=("mouse", ("snout", "tail")))``: tasks with class and keypoints."""
    return ModelNames("x", classes, tuple(TaskNames(name, *values) for name, values in tasks.items()))


def pair(path: str = "_feature_extractor/kernel", shape=(3, 3), key_shape=None, **changes) -> Pair:
    """A pair of equal shapes; ``key_shape=()`` stands for a scalar, ``key=None`` for nothing there."""
    values = {"key": f"model/{path}", **changes}
    return Pair(path, shape, key_shape=shape if key_shape is None else key_shape, **values)


def output(head: str, channels: int, there: int, inputs: int = 8, inputs_there: int = 8) -> Pair:
    return pair(
        f"_prediction_head_dict/{head}/0/layer_with_weights-1/kernel",
        (1, 1, inputs, channels),
        (1, 1, inputs_there, there),
        head=head,
        output=True,
    )


def match(one: Pair, target: ModelNames, source: ModelNames) -> Step:
    (step,) = plan_match([one], target, source, source_heads(source_tasks(target, source)))
    return step


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        pytest.param({"t": ("mouse", None)}, {"t": ("mouse", None)}, {"t": "t"}, id="same"),
        pytest.param({"new": ("mouse", None)}, {"old": ("cat", None), "z": ("mouse", None)}, {"new": "z"}, id="class"),
        pytest.param(
            {"pose": ("dog", ("nose", "tail"))},
            {"pose": ("cat", ("paw",)), "other": ("sheep", ("tail", "nose"))},
            {"pose": "other"},
            id="most-shared-keypoints-before-task-name",
        ),
        pytest.param(
            {"pose": ("dog", ("nose",))}, {"a": ("cat", None), "pose": ("sheep", None)}, {"pose": "pose"}, id="task"
        ),
        pytest.param({"t": ("dog", None)}, {"a": ("cat", None), "b": ("cow", None)}, {"t": "a"}, id="first"),
        pytest.param(
            {"t": ("dog", None), "u": ("cow", None)}, {"a": ("cat", None)}, {"t": "a", "u": "a"}, id="one-lends-to-two"
        ),
        pytest.param({"t": ("dog", None)}, {}, {}, id="boxes-only-source"),
        pytest.param({}, {"a": ("cat", None)}, {}, id="boxes-only-target"),
        pytest.param({"t": (None, None)}, {"a": (None, None), "t": (None, None)}, {"t": "t"}, id="unknown-classes"),
    ],
)
def test_source_tasks(target, source, expected) -> None:
    assert source_tasks(names(**target), names(**source)) == expected


def test_source_heads() -> None:
    assert source_heads({"mouse": "pose"}) == {
        "mouse/keypoint/heatmap": "pose/keypoint/heatmap",
        "mouse/keypoint/regression": "pose/keypoint/regression",
        "mouse/keypoint/offset": "pose/keypoint/offset",
        "mouse/keypoint/depth": "pose/keypoint/depth",
    }


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        pytest.param([("a", 0), ("b", 0)], [("a", 0), ("b", 0)], ((0, 0), (1, 1)), id="same"),
        pytest.param([("a", 0), ("b", 0)], [("b", 0), ("a", 0)], ((0, 1), (1, 0)), id="exchanged"),
        pytest.param([("a", 0), ("a", 1)], [("b", 0), ("b", 1), ("a", 0), ("a", 1)], ((0, 2), (1, 3)), id="pairs"),
        pytest.param([("a", 0), ("A", 0)], [("A", 0)], ((1, 0),), id="case-counts"),
        pytest.param([("a", 0)], [None, ("a", 0), None], ((0, 1),), id="unknown-channels"),
        pytest.param([None], [None], (), id="unknown-is-not-equal"),
        pytest.param([("", 0), ("", 1)], [("a", 0), ("a", 1)], (), id="shared-offset-is-no-keypoint's"),
    ],
)
def test_channel_rows(wanted, given, expected) -> None:
    assert channel_rows(wanted, given) == expected


@pytest.mark.parametrize(
    ("one", "status"),
    [
        pytest.param(pair(), RESTORED, id="equal"),
        pytest.param(pair(shape=(), key_shape=()), RESTORED, id="scalar"),
        pytest.param(pair(key_shape=(3, 4)), FRESH, id="other-shape"),
        pytest.param(pair(key=None), FRESH, id="not-there"),
        pytest.param(pair("_prediction_head_dict/box/scale/0/k", head="box/scale", output=True), RESTORED, id="size"),
        pytest.param(
            pair("_prediction_head_dict/t/keypoint/heatmap/0/k", head="t/keypoint/heatmap"), RESTORED, id="kpt"
        ),
    ],
)
def test_variables_without_names_go_by_shape(one: Pair, status: str) -> None:
    known = names(t=("mouse", ("snout",)))
    assert match(one, known, known) == Step(one, status)


@pytest.mark.parametrize(
    ("target", "source", "status", "rows", "kept", "new"),
    [
        pytest.param(("a", "b"), ("a", "b"), RESTORED, (), ("a", "b"), (), id="same"),
        pytest.param(("a", "b"), ("b", "a"), ADAPTED, ((0, 1), (1, 0)), ("a", "b"), (), id="exchanged"),
        pytest.param(("a", "c"), ("a", "b"), ADAPTED, ((0, 0),), ("a",), ("c",), id="equal-size-other-name"),
        pytest.param(("a",), ("a", "b"), ADAPTED, ((0, 0),), ("a",), (), id="fewer"),
        pytest.param(("x", "b"), ("b",), ADAPTED, ((1, 0),), ("b",), ("x",), id="more"),
        pytest.param(("x",), ("a",), FRESH, (), (), ("x",), id="none"),
    ],
)
def test_output_channels_go_by_name(target, source, status, rows, kept, new) -> None:
    one = output("object_center", len(target), len(source))
    assert match(one, names(target), names(source)) == Step(one, status, rows, kept, new)
    one = output("new/keypoint/heatmap", len(target), len(source))
    step = match(one, names(new=("dog", target)), names(old=("dog", source)))
    assert step == Step(one, status, rows, kept, new)


def test_a_keypoint_keeps_both_channels_of_its_pair() -> None:
    one = output("t/keypoint/regression", 4, 6)
    step = match(one, names(t=("dog", ("tail", "nose"))), names(t=("dog", ("nose", "paw", "tail"))))
    assert step == Step(one, ADAPTED, ((0, 4), (1, 5), (2, 0), (3, 1)), ("tail", "nose"))


def test_a_shared_offset_is_restored_whatever_the_keypoints() -> None:
    one = output("t/keypoint/offset", 2, 2)
    target = ModelNames("x", None, (TaskNames("t", "dog", ("tail",), per_keypoint_offset=False),))
    source = ModelNames("x", None, (TaskNames("t", "cat", ("nose", "paw"), per_keypoint_offset=False),))
    assert match(one, target, source) == Step(one, RESTORED)
    own = ModelNames("x", None, (TaskNames("t", "cat", ("nose",)),))
    assert match(one, target, own) == Step(one, FRESH)


@pytest.mark.parametrize(
    ("one", "source", "expected"),
    [
        pytest.param(output("object_center", 2, 2), names(None), (RESTORED, True), id="equal-shape"),
        pytest.param(output("object_center", 2, 3), names(None), (FRESH, False), id="other-shape"),
        pytest.param(output("object_center", 2, 2), names(("a",)), (RESTORED, True), id="names-that-do-not-fit"),
        pytest.param(
            output("object_center", 2, 2, inputs_there=9), names(("a", "b")), (FRESH, False), id="other-input"
        ),
    ],
)
def test_unknown_names_go_by_position(one: Pair, source: ModelNames, expected) -> None:
    step = match(one, names(("a", "b")), source)
    assert (step.status, step.by_position) == expected


def table() -> list[Pair]:
    return [
        pair("_feature_extractor/a"),
        pair("_feature_extractor/b", key_shape=(4, 4)),
        pair("_prediction_head_dict/box/scale/0/k", head="box/scale"),
        pair("other/k"),
    ]


@pytest.mark.parametrize(
    ("mode", "statuses", "wrong"),
    [
        pytest.param(DETECTION, [RESTORED, FRESH, FRESH, FRESH], ["_feature_extractor/b"], id="detection"),
        pytest.param(FULL, [RESTORED, FRESH, RESTORED, RESTORED], ["_feature_extractor/b"], id="full"),
    ],
)
def test_the_od_apis_own_modes(mode: str, statuses, wrong) -> None:
    steps = plan_exact(table(), mode)
    assert [step.status for step in steps] == statuses
    assert [one.path for one in misfits(steps, mode)] == wrong
    assert misfits(steps, MATCH) == ()


def test_share_of_the_feature_extractor() -> None:
    assert extractor_share(plan_exact(table(), DETECTION)) == 0.5
    assert extractor_share(plan_exact(table()[2:], DETECTION)) == 1.0


def test_parts_are_counted_and_named() -> None:
    target = names(("dog",), new=("dog", ("nose", "hat")))
    source = names(("dog", "cat"), old=("dog", ("nose", "paw")))
    pairs = [
        *table(),
        output("object_center", 1, 2),
        output("new/keypoint/heatmap", 2, 2),
        pair("_prediction_head_dict/new/keypoint/heatmap/0/k", head="new/keypoint/heatmap"),
        pair("_prediction_head_dict/new/keypoint/depth/0/k", head="new/keypoint/depth", key=None),
    ]
    tasks = source_tasks(target, source)
    steps = plan_match(pairs, target, source, source_heads(tasks))
    reports = part_reports(steps, tasks)
    assert reports == (
        PartReport("feature extractor", "", "", 1, 0, 1),
        PartReport("object centre", "", "", 0, 1, 0, ("dog",)),
        PartReport("box size", "", "", 1, 0, 0),
        PartReport("other variables", "", "", 1, 0, 0),
        PartReport("keypoint heat map", "new", "old", 1, 1, 0, ("nose",), ("hat",)),
        PartReport("keypoint depth", "new", "", 0, 0, 1),
    )
    report = TransferReport(MATCH, "zoo/ckpt-0", reports, 3, steps)
    details = json.loads(json.dumps(report.details()))
    assert len(details.pop("variables")) == len(pairs)
    assert details == json.loads(json.dumps(report.summary()))


@pytest.mark.parametrize(
    ("convolution", "output", "from_zero"),
    [
        pytest.param("c", None, True, id="new-output-behind-restored-convolution"),
        pytest.param(None, None, False, id="all-of-the-head-is-new"),
        pytest.param("c", "o", False, id="output-restored"),
    ],
)
def test_new_channels_start_at_zero_behind_what_is_taken_over(
    convolution: str | None, output: str | None, from_zero: bool
) -> None:
    head = "box/scale"
    pairs = [
        Pair("h/0/kernel", (3, 3, 4, 8), head, False, convolution, (3, 3, 4, 8)),
        Pair("h/1/kernel", (1, 1, 8, 2), head, True, output, (1, 1, 8, 2)),
        Pair("h/1/bias", (2,), head, True, output, (2,)),
        Pair("other/kernel", (1, 1, 8, 2), "box/offset", True, None, ()),
    ]
    names = ModelNames("x", None, ())
    assert [step.from_zero for step in plan_match(pairs, names, names, {})] == [False, from_zero, False, False]
    assert not any(step.from_zero for step in plan_exact(pairs, "detection"))
