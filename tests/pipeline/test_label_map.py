"""The label map: numbering, text form, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpt_tools.entities import Category, KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import ConfigError, DataError
from kpt_tools.pipeline.label_map import format_label_map, label_map_of, parse_label_map, read_label_map


def pliers(**changes: object) -> Category:
    values: dict[str, object] = {"id": 15, "name": "pliers", "keypoints": ("left", "right", "tip"), **changes}
    return Category(**values)  # type: ignore[arg-type]


def test_ids_run_over_the_whole_map_in_the_given_order() -> None:
    categories = [pliers(), Category(3, "box"), Category(7, "saw", ("blade", "grip"))]
    label_map = label_map_of(categories)
    assert [(item.id, item.name, [k.id for k in item.keypoints]) for item in label_map.items] == [
        (1, "pliers", [0, 1, 2]),
        (2, "box", []),
        (3, "saw", [3, 4]),
    ]
    assert label_map.num_keypoints == 5


def test_a_shared_name_gets_its_class_before_it() -> None:
    label_map = label_map_of([pliers(), Category(7, "saw", ("tip", "grip"))])
    assert [(k.label, k.name) for item in label_map.items for k in item.keypoints] == [
        ("left", "left"),
        ("right", "right"),
        ("pliers_tip", "tip"),
        ("saw_tip", "tip"),
        ("grip", "grip"),
    ]


def test_the_text_is_what_the_od_api_reads() -> None:
    text = format_label_map(label_map_of([Category(4, 'a "b"\\', ("tip",)), Category(9, "box")]))
    assert text == (
        'item {\n  name: "a \\"b\\"\\\\"\n  id: 1\n  display_name: "a \\"b\\"\\\\"\n'
        '  keypoints { id: 0 label: "tip" }\n}\n\n'
        'item {\n  name: "box"\n  id: 2\n  display_name: "box"\n}\n'
    )


ODD = ['quo"te', "apo'strophe", "back\\slash", "Zange ü 钳子 😀", "new\nline", "tab\t", "{ } # : <", "\u2028", " ", '"']


@pytest.mark.parametrize(
    "categories",
    [
        pytest.param([pliers()], id="one"),
        pytest.param([Category(1, name, (f"{name}.a", name)) for name in ODD], id="odd-names"),
        pytest.param([Category(1, name, tuple(ODD)) for name in ODD], id="odd-shared-names"),
        pytest.param([Category(1, "cat", ("cat_nose",)), Category(2, "dog", ("dog_nose",))], id="named-after-class"),
        pytest.param([Category(1, "cat", ("nose",)), Category(2, "dog", ("nose",))], id="shared"),
        pytest.param([Category(1, "box"), Category(2, "bag")], id="no-keypoints"),
    ],
)
def test_round_trip(categories: list[Category]) -> None:
    label_map = label_map_of(categories)
    assert parse_label_map(format_label_map(label_map), "x.pbtxt") == label_map


@pytest.mark.parametrize(
    ("categories", "match"),
    [
        pytest.param([], "no classes", id="none"),
        pytest.param([pliers(), pliers(id=3)], "class names occur more than once: 'pliers'", id="class-twice"),
        pytest.param([pliers(keypoints=("a", "b", "a"))], "class 'pliers': keypoint names .* 'a'", id="keypoint-twice"),
        pytest.param([pliers(name="")], "class 1 .* empty name", id="empty-class"),
        pytest.param([pliers(keypoints=("a", ""))], "empty name", id="empty-keypoint"),
        pytest.param(
            [Category(1, "a", ("tip", "b_tip")), Category(2, "b", ("tip",))],
            "keypoint labels occur more than once: 'b_tip'",
            id="collision-after-prefix",
        ),
    ],
)
def test_refused_categories(categories: list[Category], match: str) -> None:
    with pytest.raises(DataError, match=match):
        label_map_of(categories)


def test_a_name_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(DataError, match="not valid Unicode"):
        format_label_map(label_map_of([Category(1, "\ud800")]))


def test_foreign_forms_are_read() -> None:
    text = """
    # written by hand
    item: < id: 2, name: 'saw' keypoints: { label: "gr" 'ip' id: 1 } >
    item { name: "pliers"; id: 1; display_name: "Pliers" frequency: RARE keypoints { id: 0 label: "tip" } }
    """
    assert parse_label_map(text, "x.pbtxt") == LabelMap(
        (
            LabelMapItem(1, "pliers", (KeypointLabel(0, "tip", "tip"),)),
            LabelMapItem(2, "saw", (KeypointLabel(1, "grip", "grip"),)),
        )
    )


def test_a_lying_name_comment_is_ignored() -> None:
    text = 'item {\n  name: "a"\n  id: 1\n  keypoints { id: 0 label: "tip" }  # name: "nose"\n}\n'
    assert parse_label_map(text, "x").items[0].keypoints[0].name == "tip"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("", "x.pbtxt: no items", id="empty"),
        pytest.param('item {\n  nmae: "a"\n}', r'x.pbtxt:2:3: .*no field named "nmae"', id="unknown-field"),
        pytest.param('item {\n  name: "a"\n  id: one\n}', r"x.pbtxt:3:7: ", id="not-a-number"),
        pytest.param('item {\n  name: "a\n}', r"x.pbtxt:2:", id="open-string"),
        pytest.param('item {\n  name: "a" id: 1', r"x.pbtxt:\d+:\d+: .*expected a label map", id="open-brace"),
        pytest.param('item { name: "a" name: "b" id: 1 }', r"x.pbtxt:1:\d+: .*multiple", id="field-twice"),
        pytest.param('{"item": []}', r"x.pbtxt:1:1: ", id="json"),
        pytest.param('item { name: "a" }', r"item 1 \('a'\) lacks a name or an id", id="no-id"),
        pytest.param("item { id: 1 }", "item 1 .* lacks a name", id="no-name"),
        pytest.param('item { name: "a" id: 1 keypoints { id: 0 } }', "keypoint '' lacks a label", id="no-label"),
        pytest.param('item { name: "a" id: 1 keypoints { label: "t" } }', "keypoint 't' lacks", id="no-slot"),
        pytest.param('item { name: "a" id: 0 }', r"class ids are \[0\]; expected 1\.\.1", id="background"),
        pytest.param('item { name: "a" id: 1 } item { name: "b" id: 3 }', r"\[1, 3\]; expected 1\.\.2", id="gap"),
        pytest.param('item { name: "a" id: 1 } item { name: "a" id: 2 }', "class names .* 'a'", id="class-twice"),
        pytest.param(
            'item { name: "a" id: 1 keypoints { id: 1 label: "t" } }',
            r"keypoint ids .*\[1\]; expected 0\.\.0",
            id="slot-gap",
        ),
        pytest.param(
            'item { name: "a" id: 1 keypoints { id: 0 label: "t" } } '
            'item { name: "b" id: 2 keypoints { id: 1 label: "t" } }',
            "keypoint labels occur more than once: 't'",
            id="label-twice",
        ),
    ],
)
def test_refused_text(text: str, match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        parse_label_map(text, "x.pbtxt")
    assert "\n" not in str(caught.value)


def test_read_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.pbtxt"
    with pytest.raises(ConfigError, match=r"m\.pbtxt: no such file; expected a label map"):
        read_label_map(path)
    path.write_text("\ufeff" + format_label_map(label_map_of([pliers()])), encoding="utf-8")
    assert read_label_map(path) == label_map_of([pliers()])
