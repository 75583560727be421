"""The label map: classes and keypoint slots, and their text form (the OD API's ``StringIntLabelMap``).

The OD API looks keypoints up by label over all classes at once, so a name that two classes share
becomes ``<class>_<name>``. The annotated name then stands in a comment behind the slot, which the
OD API passes over and `parse_label_map` reads back.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import text_encoding

from kpt_tools.entities import Category, KeypointLabel, LabelMap, LabelMapItem
from kpt_tools.errors import DataError
from kpt_tools.fsio import read_text

_PACKAGE = "kpt_tools.label_map"
_SCHEMA: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "KeypointMap": (("id", "OPTIONAL", "INT32", ""), ("label", "OPTIONAL", "STRING", "")),
    "StringIntLabelMapItem": (
        ("name", "OPTIONAL", "STRING", ""),
        ("id", "OPTIONAL", "INT32", ""),
        ("display_name", "OPTIONAL", "STRING", ""),
        ("keypoints", "REPEATED", "MESSAGE", "KeypointMap"),
        ("ancestor_ids", "REPEATED", "INT32", ""),
        ("descendant_ids", "REPEATED", "INT32", ""),
        ("frequency", "OPTIONAL", "ENUM", "LVISFrequency"),
        ("instance_count", "OPTIONAL", "INT32", ""),
    ),
    "StringIntLabelMap": (("item", "REPEATED", "MESSAGE", "StringIntLabelMapItem"),),
}
_NAME_COMMENT = re.compile(r'^\s*keypoints \{ id: (\d+) .*\}  # name: (".*")$', re.MULTILINE)


def label_map_of(categories: Sequence[Category]) -> LabelMap:
    """Number classes 1..C and keypoints 0..sum(K)-1 in the order given.

    Raises:
        DataError: no class; an empty or doubled class name; an empty or doubled keypoint name within a
            class; labels that still collide after the class name was put before a shared name.
    """
    if not categories:
        raise DataError("label map: no classes; expected at least one category with annotations.")
    shared = _shared_names(categories)
    items: list[LabelMapItem] = []
    slot = 0
    for class_id, category in enumerate(categories, start=1):
        labels = []
        for name in category.keypoints:
            label = f"{category.name}_{name}" if name in shared else name
            labels.append(KeypointLabel(id=slot, label=label, name=name))
            slot += 1
        items.append(LabelMapItem(id=class_id, name=category.name, keypoints=tuple(labels)))
    return _checked(items, "label map")


def format_label_map(label_map: LabelMap) -> str:
    """The label map as pbtxt: `name`, `id`, `display_name` and ``keypoints { id label }`` per class.

    Raises:
        DataError: a name cannot be written as UTF-8.
    """
    try:
        return "\n".join(_format_item(item) for item in label_map.items)
    except UnicodeEncodeError as exc:
        raise DataError(f"label map: the name {exc.object!r} is not valid Unicode. Rename it.") from exc


def parse_label_map(text: str, source: str) -> LabelMap:
    """Parse a pbtxt label map.

    Args:
        text: the pbtxt.
        source: file name for messages.

    Raises:
        DataError: not a label map (with line and column), or ids or names that are missing, doubled or
            not contiguous.
    """
    from google.protobuf import text_format

    message = _message_class()()
    try:
        text_format.Parse(text, message)
    except (text_format.ParseError, ValueError) as exc:
        raise DataError(
            f"{source}:{_position(str(exc))}; expected a label map: "
            'item { name: "pliers" id: 1 keypoints { id: 0 label: "tip" } }.'
        ) from exc
    if not message.item:
        raise DataError(f'{source}: no items; expected a label map: item {{ name: "pliers" id: 1 }}.')
    comments = {int(slot): json.loads(name) for slot, name in _name_comments(text)}
    items = [_item_of(row, index, source, comments) for index, row in enumerate(message.item, start=1)]
    return _checked(sorted(items, key=lambda item: item.id), source)


def read_label_map(path: Path) -> LabelMap:
    """Read a pbtxt label map.

    Raises:
        ConfigError: there is no such file.
        DataError: see `parse_label_map`.
    """
    return parse_label_map(read_text(path, what="label map"), str(path))


def _shared_names(categories: Sequence[Category]) -> set[str]:
    counts = Counter(name for category in categories for name in dict.fromkeys(category.keypoints))
    return {name for name, count in counts.items() if count > 1}


def _checked(items: Sequence[LabelMapItem], source: str) -> LabelMap:
    """Refuse what the OD API would refuse later, or worse, accept."""
    for item in items:
        _refuse_doubles((k.name for k in item.keypoints), f"{source}: class '{item.name}'", "keypoint names")
        if "" in (item.name, *(k.label for k in item.keypoints)):
            raise DataError(
                f"{source}: class {item.id} ('{item.name}') has an empty name. Give every class and keypoint one."
            )
    slots = [keypoint for item in items for keypoint in item.keypoints]
    _refuse_doubles((item.name for item in items), source, "class names")
    _refuse_doubles((slot.label for slot in slots), source, "keypoint labels")
    _refuse_gaps([item.id for item in items], 1, f"{source}: class ids")
    _refuse_gaps([slot.id for slot in slots], 0, f"{source}: keypoint ids over all classes")
    return LabelMap(items=tuple(items))


def _refuse_doubles(names: Iterable[str], where: str, what: str) -> None:
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        listed = ", ".join(f"'{name}'" for name in doubled)
        raise DataError(f"{where}: {what} occur more than once: {listed}; expected each once. Rename or merge them.")


def _refuse_gaps(ids: Sequence[int], start: int, what: str) -> None:
    expected = range(start, start + len(ids))
    if sorted(ids) != list(expected):
        raise DataError(
            f"{what} are {sorted(ids)}; expected {start}..{start + len(ids) - 1}, each once. Renumber them."
        )


def _format_item(item: LabelMapItem) -> str:
    lines = [
        "item {",
        f"  name: {quoted(item.name)}",
        f"  id: {item.id}",
        f"  display_name: {quoted(item.name)}",
    ]
    for keypoint in item.keypoints:
        comment = "" if keypoint.name == keypoint.label else f"  # name: {json.dumps(keypoint.name)}"
        lines.append(f"  keypoints {{ id: {keypoint.id} label: {quoted(keypoint.label)} }}{comment}")
    return "\n".join([*lines, "}", ""])


def quoted(text: str) -> str:
    """`text` as a text-format string literal; protobuf itself does the escaping.

    Raises:
        UnicodeEncodeError: it cannot be written as UTF-8.
    """
    text.encode()
    return f'"{text_encoding.CEscape(text, as_utf8=True)}"'


def _position(message: str) -> str:
    """Turn protobuf's ``3:7 : complaint`` into one line that starts with the position, ``3:7: complaint``."""
    found = re.match(r"(\d+:\d+)\s*:\s*(.*)", message, re.DOTALL)
    place, complaint = found.groups() if found else ("", message)
    return f"{place}: {' '.join(complaint.split())}".lstrip(":")


def _name_comments(text: str) -> list[tuple[str, str]]:
    """Slot id and JSON string of each name comment that `_format_item` wrote."""
    found: list[tuple[str, str]] = _NAME_COMMENT.findall(text.replace("\r\n", "\n"))
    return [(slot, name) for slot, name in found if _is_json_string(name)]


def _is_json_string(text: str) -> bool:
    try:
        return isinstance(json.loads(text), str)
    except json.JSONDecodeError:
        return False


def _item_of(row: Any, index: int, source: str, comments: dict[int, str]) -> LabelMapItem:
    if not row.HasField("id") or not row.name:
        raise DataError(f"{source}: item {index} ('{row.name}') lacks a name or an id; expected both. Add them.")
    keypoints = []
    for keypoint in row.keypoints:
        if not keypoint.HasField("id") or not keypoint.label:
            raise DataError(
                f"{source}: item {index} ('{row.name}'): keypoint '{keypoint.label}' lacks a label or an id; "
                "expected both. Add them."
            )
        name = comments.get(keypoint.id, keypoint.label)
        honest = keypoint.label == f"{row.name}_{name}"
        keypoints.append(KeypointLabel(keypoint.id, keypoint.label, name if honest else keypoint.label))
    return LabelMapItem(id=row.id, name=row.name, keypoints=tuple(keypoints))


@cache
def _message_class() -> type[Any]:
    """The class of ``StringIntLabelMap``, with the OD API's field names, in a pool of its own."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="kpt_tools/label_map.proto", package=_PACKAGE, syntax="proto2")
    frequency = file.enum_type.add(name="LVISFrequency")
    for number, name in enumerate(("UNSPECIFIED", "FREQUENT", "COMMON", "RARE")):
        frequency.value.add(name=name, number=number)
    for message_name, fields in _SCHEMA.items():
        message = file.message_type.add(name=message_name)
        for number, (name, label, kind, type_name) in enumerate(fields, start=1):
            field = message.field.add(name=name, number=number, label=f"LABEL_{label}", type=f"TYPE_{kind}")
            if type_name:
                field.type_name = f".{_PACKAGE}.{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.StringIntLabelMap"))
    return found
