"""``tf.train.Example``, read without TensorFlow.

The messages are built at run time in a descriptor pool of their own, so they live beside TensorFlow's in one process,
whichever is imported first. Schema: tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from kpt_tools.errors import DataError

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
