from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coco_factories import encoded

from kpt_tools.entities import Category, ImageRecord, Instance, LabelMap
from kpt_tools.errors import DataError
from kpt_tools.pipeline.label_map import label_map_of
from kpt_tools.records.decode import decode_example, read_records
from kpt_tools.records.encode import encode_example
from kpt_tools.records.example_builder import ExampleBuilder
from kpt_tools.records.example_proto import example_class, parse_example
from kpt_tools.records.tfrecord import write_record

IMAGE = ImageRecord(252, "sub/Käse 1.jpg", 64, 48)


def label_map() -> LabelMap:
    five = tuple(f"p{n}" for n in range(5))
    return label_map_of([Category(15, "plier", five), Category(3, "box"), Category(9, "rod", ("a", "b"))])


def instances() -> list[Instance]:
    five = tuple((float(4 * n), float(3 * n), 2 if n % 2 else 0) if n % 2 else (0.0, 0.0, 0) for n in range(5))
    return [
        Instance(1, 252, 1, (0.0, 0.0, 64.0, 48.0), 100.0, five),
        Instance(2, 252, 2, (16.0, 12.0, 32.0, 24.0), 768.0, (), iscrowd=True),
        Instance(3, 252, 3, (8.0, 6.0, 8.0, 6.0), 48.0, ((64.0, 48.0, 1), (0.0, 0.0, 2))),
    ]


def example(**changes: Any) -> bytes:
    values: dict[str, Any] = {"image": IMAGE, "encoded": encoded(), "image_format": "jpeg"}
    return encode_example(**{**values, "instances": instances(), "label_map": label_map(), **changes})


def test_every_object_carries_all_slots() -> None:
    features = parse_example(example(), "x")
    assert len(features["image/object/keypoint/x"]) == 3 * 7
    assert features["image/object/keypoint/visibility"] == [0, 2, 0, 2, 0, 0, 0, *[0] * 7, *[0] * 5, 1, 2]
    assert features["image/object/keypoint/x"][-2:] == [1.0, 0.0]
    assert features["image/object/keypoint/y"][1:4:2] == [3 / 48, 9 / 48]
    assert features["image/object/keypoint/num"] == [2, 0, 2]
    names = [b"p0", b"p1", b"p2", b"p3", b"p4", b"a", b"b"]
    assert features["image/object/keypoint/text"] == names * 3


def test_fields_of_image_and_objects() -> None:
    features = parse_example(example(), "x")
    assert features["image/height"] == [48]
    assert features["image/width"] == [64]
    assert features["image/filename"] == ["sub/Käse 1.jpg".encode()]
    assert features["image/source_id"] == [b"252"]
    assert features["image/format"] == [b"jpeg"]
    assert features["image/encoded"] == [encoded()]
    assert len(features["image/key/sha256"][0]) == 64
    assert features["image/object/bbox/xmin"] == [0.0, 0.25, 0.125]
    assert features["image/object/bbox/xmax"] == [1.0, 0.75, 0.25]
    assert features["image/object/bbox/ymin"] == [0.0, 0.25, 0.125]
    assert features["image/object/bbox/ymax"] == [1.0, 0.75, 0.25]
    assert features["image/object/class/label"] == [1, 2, 3]
    assert features["image/object/class/text"] == [b"plier", b"box", b"rod"]
    assert features["image/object/area"] == [100.0, 768.0, 48.0]
    assert features["image/object/is_crowd"] == [0, 1, 0]
    assert features["image/object/weight"] == [1.0, 0.0, 1.0]
    assert features["image/object/difficult"] == features["image/object/group_of"] == [0, 0, 0]


def test_same_sample_gives_the_same_bytes() -> None:
    assert example() == example()


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as handle:
        write_record(handle, example())
        write_record(handle, example(instances=[]))
    full, empty = read_records([tmp_path / "a"], label_map())
    assert full.instances == tuple(instances())
    assert (full.file_name, full.image_id, full.width, full.height) == ("sub/Käse 1.jpg", "252", 64, 48)
    assert full.encoded == encoded()
    assert empty.instances == ()


def test_class_without_keypoints_only() -> None:
    boxes = label_map_of([Category(3, "box")])
    data = example(label_map=boxes, instances=[Instance(1, 252, 1, (0.0, 0.0, 32.0, 24.0), 9.0)])
    assert "image/object/keypoint/x" not in parse_example(data, "x")
    assert decode_example(data, boxes, "x").instances[0].keypoints_xyv == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 4}, "annotation 1: image/object/class/label: class 4 is not in the label map"),
        ({"box_xywh_px": None}, "annotation 1: image/object/bbox: no box"),
        ({"keypoints_xyv": ((1.0, 1.0, 2),)}, "annotation 1: image/object/keypoint: 1 points; 'plier' has 5"),
    ],
    ids=["class", "box", "keypoints"],
)
def test_encoding_names_image_and_feature(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"sub/Käse 1.jpg: {message}"):
        example(instances=[replace(instances()[0], **change)])


def test_wrong_label_map_is_told() -> None:
    with pytest.raises(DataError, match=r"x: image/object/keypoint/x has 21 values; expected 6\. Is it the label map"):
        decode_example(example(), label_map_of([Category(1, "plier", ("a", "b"))]), "x")
    with pytest.raises(DataError, match=r"x: image/object/class/label is 3; the label map has \[1, 2\]"):
        decode_example(example(), label_map_of([Category(1, "plier", tuple("abcdefg")), Category(2, "box")]), "x")


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b""], ids=["garbage", "nothing"])
def test_what_is_no_example_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match=r"not a tf\.train\.Example|image/width has 0 values"):
        decode_example(data, label_map(), "x")


def test_thousand_objects() -> None:
    many = [replace(instances()[2], id=n) for n in range(1, 1001)]
    sample = decode_example(example(instances=many), label_map(), "x")
    assert len(sample.instances) == 1000
    assert sample.instances == tuple(many)


LISTS: dict[str, tuple[str, list[Any]]] = {
    "image/filename": ("bytes", ["ä" * 300, "", "x" * 127, "y" * 128]),
    "image/none": ("bytes", []),
    "image/object/bbox/xmin": ("float", [0.5] * 500 + [-1.25, 0.0]),
    "image/object/bbox/xmax": ("float", []),
    "image/height": ("int64", [3, -1, 127, 128, 1 << 40, -(1 << 63), (1 << 63) - 1]),
    "image/object/short": ("int64", [0, True, 127]),
    "image/object/none": ("int64", []),
}


def built() -> ExampleBuilder:
    """A builder with all kinds of lists."""
    builder = ExampleBuilder()
    add = {"bytes": builder.add_bytes, "float": builder.add_floats, "int64": builder.add_ints}
    for name, (kind, values) in LISTS.items():
        add[kind](name, values)
    return builder


def by_protobuf(**more: bytes) -> bytes:
    """The same lists, and `more` lists of one byte string, by protobuf's own serialization."""
    message = example_class()()
    for name, (kind, values) in LISTS.items():
        field = getattr(message.features.feature[name], f"{kind}_list")
        field.SetInParent()
        field.value.extend(value.encode() if kind == "bytes" else int(value) if kind == "int64" else value
                           for value in values)  # fmt: skip
    for name, value in more.items():
        message.features.feature[name].bytes_list.value.append(value)
    return message.SerializeToString(deterministic=True)


def test_messages_are_those_of_protobuf() -> None:
    assert built().serialize() == by_protobuf()
    assert ExampleBuilder().serialize() == b"\n\0"
    assert parse_example(ExampleBuilder().serialize(), "x") == {}


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_384, 300_000])
def test_records_around_a_picture_are_those_of_protobuf(size: int) -> None:
    picture = bytes(range(256)) * (size // 256) + bytes(size % 256)
    head, middle, rest = built().serialize_around(picture)
    assert middle is picture
    assert head + middle + rest == by_protobuf(**{"image/encoded": picture})


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1])
def test_a_number_of_more_than_64_bits_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"{number} does not fit into 64 bits"):
        ExampleBuilder().add_ints("image/height", [number])


def test_a_picture_that_is_not_the_first_feature_is_refused() -> None:
    builder = ExampleBuilder()
    builder.add_ints("image/depth", [3])
    with pytest.raises(ValueError, match="image/encoded is not the first of"):
        builder.serialize_around(b"x")
