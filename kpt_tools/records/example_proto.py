"""``tf.train.Example`` without TensorFlow.

The messages are built at run time in a descriptor pool of their own, so they live beside TensorFlow's in one process,
whichever is imported first. Schema: tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from kpt_tools.errors import DataError

PICTURE = "image/encoded"
_Field = descriptor_pb2.FieldDescriptorProto
_LISTS = {"bytes_list": "BytesList", "float_list": "FloatList", "int64_list": "Int64List"}
_VALUE_TYPES = {"BytesList": _Field.TYPE_BYTES, "FloatList": _Field.TYPE_FLOAT, "Int64List": _Field.TYPE_INT64}


@cache
def example_class() -> type[Any]:
    """The message class of ``tensorflow.Example``."""
    file = descriptor_pb2.FileDescriptorProto(name="kpt_tools/example.proto", package="tensorflow", syntax="proto3")
    for name, kind in _VALUE_TYPES.items():
        value = file.message_type.add(name=name).field.add(
            name="value", number=1, label=_Field.LABEL_REPEATED, type=kind
        )
        if kind != _Field.TYPE_BYTES:
            value.options.packed = True
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, message) in enumerate(_LISTS.items(), start=1):
        field = _add_message_field(feature, name, number, message)
        field.oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
    _add_message_field(entry, "value", 2, "Feature")
    _add_message_field(features, "feature", 1, "Features.FeatureEntry").label = _Field.LABEL_REPEATED
    _add_message_field(file.message_type.add(name="Example"), "features", 1, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
    return found


def _add_message_field(message: Any, name: str, number: int, type_name: str) -> Any:
    return message.field.add(
        name=name,
        number=number,
        label=_Field.LABEL_OPTIONAL,
        type=_Field.TYPE_MESSAGE,
        type_name=f".tensorflow.{type_name}",
    )


Parts = tuple[bytes, bytes, bytes]
"""A record in three pieces, the middle one a picture; joined they are the record."""


class ExampleBuilder:
    """Collects features; the same ones always give the same bytes."""

    def __init__(self) -> None:
        """Start empty."""
        self._message = example_class()()
        self._feature = self._message.features.feature

    def add_bytes(self, name: str, values: Iterable[bytes | str]) -> None:
        """Set a list of byte strings; texts are written as UTF-8."""
        encoded = [value.encode() if isinstance(value, str) else value for value in values]
        self._feature[name].bytes_list.value.extend(encoded)
        self._feature[name].bytes_list.SetInParent()

    def add_floats(self, name: str, values: Iterable[float]) -> None:
        """Set a list of 32-bit floats."""
        self._feature[name].float_list.value.extend(values)
        self._feature[name].float_list.SetInParent()

    def add_ints(self, name: str, values: Iterable[int]) -> None:
        """Set a list of whole numbers; bools become 0 and 1 (protobuf 7 refuses them)."""
        self._feature[name].int64_list.value.extend(int(value) for value in values)
        self._feature[name].int64_list.SetInParent()

    def serialize(self) -> bytes:
        """The message as bytes, its features in a fixed order."""
        data: bytes = self._message.SerializeToString(deterministic=True)
        return data

    def serialize_around(self, value: bytes) -> Parts:
        """What `serialize` gives after ``add_bytes("image/encoded", [value])``, in pieces: `value` is not copied.

        Raises:
            ValueError: a feature comes before it in the order of names.
        """
        name = PICTURE
        if any(other <= name for other in self._feature):
            raise ValueError(f"{name} is not the first of {sorted(self._feature)}")
        rest: bytes = self._message.features.SerializeToString(deterministic=True)
        head = _field(1, len(value))  # from the inside out: value, BytesList, Feature, entry of the map, Features
        head = _field(1, len(head) + len(value)) + head
        head = _field(1, len(name.encode())) + name.encode() + _field(2, len(head) + len(value)) + head
        head = _field(1, len(head) + len(value)) + head
        return _field(1, len(head) + len(value) + len(rest)) + head, value, rest


def _field(number: int, length: int) -> bytes:
    """The tag of a length-delimited field, and its length. Source: the Protocol Buffers wire format."""
    found = bytearray([number << 3 | 2])
    while length > 0x7F:
        found.append(length & 0x7F | 0x80)
        length >>= 7
    found.append(length)
    return bytes(found)


def _length(data: bytes, position: int) -> tuple[int, int]:
    """The length of the field at `position`, and where its content begins. Raises IndexError at the end of `data`."""
    value, shift = 0, 0
    while True:
        position += 1
        value |= (data[position] & 0x7F) << shift
        if data[position] < 0x80:
            return value, position + 1
        shift += 7


def without_picture(data: bytes) -> bytes:
    """An Example without its first feature, if that is ``image/encoded``: the rest is read without copying it."""
    try:
        _, features = _length(data, 0)
        length, entry = _length(data, features)
        _, key = _length(data, entry)
    except IndexError:
        return data
    if not data.startswith(PICTURE.encode(), key) or data[key + len(PICTURE)] != (2 << 3 | 2):
        return data
    rest = data[entry + length :]
    return _field(1, len(rest)) + rest


def parse_example(data: bytes, where: str, wanted: Collection[str] | None = None) -> dict[str, list[Any]]:
    """Feature name to its values; of `wanted` features only, if any are named.

    Raises:
        DataError: `data` is no ``tf.train.Example``; `where` names file and record.
    """
    message = example_class()()
    try:
        message.ParseFromString(data)
    except DecodeError as exc:
        raise DataError(f"{where}: not a tf.train.Example. Write the records again with make-tfrecord.") from exc
    found = {}
    for name, feature in message.features.feature.items():
        if wanted is not None and name not in wanted:
            continue
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else []
    return found
