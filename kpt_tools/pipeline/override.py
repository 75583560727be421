"""``path.to.field=value`` on any protobuf message, by reflection.

`train_config.batch_size=4`, `train_config.data_augmentation_options[0].random_horizontal_flip.probability=0`,
`model.center_net.keypoint_estimation_task[0].keypoint_label_to_std[tip]=1.5`,
`train_config.data_augmentation_options[+]={random_rotation90 {}}`, `...channel_means=[1, 2, 3]`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import text_format

from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import ConfigError

_STEP = re.compile(r"([A-Za-z_]\w*)((?:\[[^\]]*\])?)(?:\.|$)")
_BOOLS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Override:
    """An override that was applied: text before and after, and what else it threw out of a one-of."""

    path: str
    before: str
    after: str
    replaced: str = ""


@dataclass(frozen=True)
class _Step:
    name: str
    key: str | None
    path: str


def apply_override(message: Any, assignment: str) -> Override:
    """Set one field of `message` in place.

    A path is field names with dots; ``[0]`` is an element of a repeated field (``[+]`` a new one at its end),
    ``[name]`` an entry of a map. A scalar is written bare; a message as ``{ text format }``; a whole repeated
    field as ``[a, b]``. Setting a member of a one-of removes the member that was set.

    Args:
        message: any protobuf message.
        assignment: ``path=value``.

    Raises:
        ConfigError: malformed, an unknown field (with the nearest known one), or a value of the wrong type.
    """
    path, equals, value = assignment.partition("=")
    if not equals or not path.strip():
        raise ConfigError(f"--set {assignment}: expected path.to.field=value, for example train_config.batch_size=4.")
    steps = _steps(path.strip())
    before_members = _oneof_members(message)
    owner, last = _descend(message, steps)
    field = _field(owner, last, message)
    before = "(new)" if last.key == "+" else _text(owner, field, last)
    _assign(owner, field, last, value.strip())
    lost = before_members - _oneof_members(message)
    return Override(path.strip(), before, _text(owner, field, last), ", ".join(sorted(lost)))


def _steps(path: str) -> list[_Step]:
    steps: list[_Step] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if not found or (found.end() == len(path) and path.endswith(".")):
            raise ConfigError(f"--set {path}: cannot be read at '{path[position:]}'; expected names like a.b[0].c.")
        name, bracket = found.group(1), found.group(2)
        key = bracket[1:-1].strip().strip("\"'") if bracket else None
        steps.append(_Step(name, key, path[: found.end()].rstrip(".")))
        position = found.end()
    return steps


def _descend(message: Any, steps: list[_Step]) -> tuple[Any, _Step]:
    """The message that holds the last step's field."""
    owner = message
    for step in steps[:-1]:
        field = _field(owner, step, message)
        if field.message_type is None:
            raise ConfigError(f"--set {step.path}: is {_kind(field)}, so nothing lies below it.")
        owner = _element(owner, field, step)
    return owner, steps[-1]


def _field(owner: Any, step: _Step, root: Any) -> Any:
    known = owner.DESCRIPTOR.fields_by_name
    if step.name in known:
        return known[step.name]
    hint = _hint(step.name, list(known), root)
    raise ConfigError(f"--set {step.path}: {owner.DESCRIPTOR.name} has no field '{step.name}'{hint}")


def _hint(name: str, known: list[str], root: Any) -> str:
    """Fields that were perhaps meant: the same name elsewhere, a similar one here, a similar one elsewhere."""
    paths: dict[str, list[str]] = {}
    for leaf, path in _paths(root):
        paths.setdefault(leaf, []).append(path)
    if name in paths:
        return f"; did you mean {' or '.join(paths[name][:3])}?"
    if difflib.get_close_matches(name, known, n=1, cutoff=0.5):
        return did_you_mean(name, known)
    near = difflib.get_close_matches(name, paths, n=1, cutoff=0.7)
    return f"; did you mean {' or '.join(paths[near[0]][:3])}?" if near else did_you_mean(name, known)


def _paths(message: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and path of every field of `message` and of the sub-messages that are set."""
    for name in message.DESCRIPTOR.fields_by_name:
        yield name, prefix + name
    for field, value in message.ListFields():
        if field.message_type is None or _is_map(field):
            continue
        for index, row in enumerate(value) if _is_repeated(field) else [(None, value)]:
            place = field.name if index is None else f"{field.name}[{index}]"
            yield from _paths(row, f"{prefix}{place}.")


def _element(owner: Any, field: Any, step: _Step) -> Any:
    """The sub-message that `step` names."""
    value = getattr(owner, field.name)
    if _is_map(field):
        return value[_map_key(field, step)]
    if not _is_repeated(field):
        if step.key is not None:
            raise ConfigError(f"--set {step.path}: '{field.name}' is not repeated; leave out [{step.key}].")
        value.SetInParent()
        return value
    if step.key == "+":
        return value.add()
    return value[_index(value, step)]


def _index(value: Any, step: _Step) -> int:
    count = len(value)
    if step.key is None or not step.key.isdecimal() or int(step.key) >= count:
        there = f"[0] to [{count - 1}]" if count else "none yet"
        raise ConfigError(f"--set {step.path}: '{step.name}' has {count} elements ({there}); expected [number] or [+].")
    return int(step.key)


def _map_key(field: Any, step: _Step) -> Any:
    if not step.key:
        raise ConfigError(f"--set {step.path}: '{step.name}' is a map; expected {step.name}[key].")
    return _scalar(field.message_type.fields_by_name["key"], step.key, step.path)


def _assign(owner: Any, field: Any, step: _Step, value: str) -> None:
    if _is_map(field) and step.key is not None:
        entry = field.message_type.fields_by_name["value"]
        table = getattr(owner, field.name)
        if entry.message_type is None:
            table[_map_key(field, step)] = _scalar(entry, value, step.path)
        else:
            _merge_into(table[_map_key(field, step)], value, step.path)
    elif step.key is not None or (field.message_type is not None and not _is_repeated(field)):
        _assign_element(owner, field, step, value)
    elif _is_repeated(field):
        _assign_whole(owner, field, value, step.path)
    else:
        _guarded(lambda: setattr(owner, field.name, _scalar(field, value, step.path)), field, value, step.path)


def _assign_element(owner: Any, field: Any, step: _Step, value: str) -> None:
    """Set a message, or one element of a repeated field."""
    if field.message_type is not None:
        _merge_into(_element(owner, field, step), value, step.path)
        return
    if not _is_repeated(field):
        raise ConfigError(f"--set {step.path}: '{field.name}' is not repeated; leave out [{step.key}].")
    values = getattr(owner, field.name)
    number = _scalar(field, value, step.path)
    if step.key == "+":
        _guarded(lambda: values.append(number), field, value, step.path)
    else:
        _guarded(lambda: values.__setitem__(_index(values, step), number), field, value, step.path)


def _merge_into(target: Any, value: str, path: str) -> None:
    """Replace `target` by the message written in `value`."""
    if not (value.startswith("{") and value.endswith("}")):
        raise ConfigError(f"--set {path}={value}: is a {target.DESCRIPTOR.name}; expected {{ fields in text format }}.")
    fresh = type(target)()
    try:
        text_format.Parse(value[1:-1], fresh)
    except text_format.ParseError as exc:
        raise ConfigError(f"--set {path}={value}: not a {target.DESCRIPTOR.name} ({exc}).") from exc
    target.CopyFrom(fresh)


def _assign_whole(owner: Any, field: Any, value: str, path: str) -> None:
    """Replace a whole repeated field or map by the list written in `value`."""
    fresh = type(owner)()
    if not (value.startswith("[") and value.endswith("]")):
        raise ConfigError(f"--set {path}={value}: '{field.name}' is repeated; expected [a, b], or {field.name}[0]=a.")
    try:
        text_format.Parse(f"{field.name}: {value}", fresh)
    except text_format.ParseError as exc:
        raise ConfigError(f"--set {path}={value}: not a list of {_kind(field)} ({exc}).") from exc
    owner.ClearField(field.name)
    owner.MergeFrom(fresh)


def _scalar(field: Any, value: str, path: str) -> Any:
    try:
        if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            return float(value)
        if field.cpp_type == field.CPPTYPE_BOOL:
            return _BOOLS[value.casefold()]
        if field.cpp_type == field.CPPTYPE_ENUM:
            return _enum_number(field, value, path)
        if field.cpp_type == field.CPPTYPE_STRING:
            unquoted = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
            return unquoted.encode() if field.type == field.TYPE_BYTES else unquoted
        return int(value)
    except (ValueError, KeyError) as exc:
        raise ConfigError(f"--set {path}={value}: expected {_kind(field)}.") from exc


def _enum_number(field: Any, value: str, path: str) -> int:
    names = field.enum_type.values_by_name
    if value in names:
        return int(names[value].number)
    if value.isdecimal() and int(value) in field.enum_type.values_by_number:
        return int(value)
    raise ConfigError(f"--set {path}={value}: not a {field.enum_type.name}{did_you_mean(value, list(names))}")


def _guarded(action: Any, field: Any, value: str, path: str) -> None:
    """Run a protobuf assignment; it refuses numbers out of range."""
    try:
        action()
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"--set {path}={value}: out of range; expected {_kind(field)}.") from exc


def _kind(field: Any) -> str:
    """What a field holds, in words."""
    if field.message_type is not None:
        return f"a {field.message_type.name}"
    if field.enum_type is not None:
        return f"one of {', '.join(field.enum_type.values_by_name)}"
    words = {
        field.CPPTYPE_BOOL: "true or false",
        field.CPPTYPE_STRING: "text",
        field.CPPTYPE_FLOAT: "a number",
        field.CPPTYPE_DOUBLE: "a number",
        field.CPPTYPE_UINT32: "a whole number from 0 to 4294967295",
        field.CPPTYPE_UINT64: "a whole number from 0",
    }
    return words.get(field.cpp_type, "a whole number")


def _is_repeated(field: Any) -> bool:
    told = getattr(field, "is_repeated", None)  # protobuf >= 6.30; `label` is deprecated there
    return bool(field.label == field.LABEL_REPEATED) if told is None else bool(told)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _text(owner: Any, field: Any, step: _Step) -> str:
    """The field's present value on one line; "(unset)" if there is none."""
    value = getattr(owner, field.name)
    if _is_map(field) and step.key:
        key = _map_key(field, step)
        return _one_line(value[key]) if key in value else "(unset)"
    if _is_repeated(field):
        if step.key is None:
            return f"[{', '.join(_one_line(row) for row in value)}]"
        index = len(value) - 1 if step.key == "+" else int(step.key) if step.key.isdecimal() else -1
        return _one_line(value[index]) if 0 <= index < len(value) else "(unset)"
    if field.has_presence and not owner.HasField(field.name):
        return f"{_one_line(value)} (default)" if field.message_type is None else "(unset)"
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return _one_line(value)


def _one_line(value: Any) -> str:
    if hasattr(value, "DESCRIPTOR"):
        return f"{{ {text_format.MessageToString(value, as_one_line=True)} }}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _oneof_members(message: Any, prefix: str = "") -> set[str]:
    """Paths of the one-of members that are set anywhere in `message`."""
    members: set[str] = set()
    for field, value in message.ListFields():
        if field.message_type is None or _is_map(field):
            continue
        for index, row in enumerate(value) if _is_repeated(field) else [(None, value)]:
            place = f"{prefix}{field.name}" + ("" if index is None else f"[{index}]")
            if field.containing_oneof is not None:
                members.add(place)
            members |= _oneof_members(row, f"{place}.")
    return members
