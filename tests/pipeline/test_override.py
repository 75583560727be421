"""Overrides of any protobuf message, on protobuf's own well-known types."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, struct_pb2, wrappers_pb2
from google.protobuf.message import Message

from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.override import Override, apply_override


def proto_file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", dependency=["x", "y"], public_dependency=[0])
    file.message_type.add(name="First").field.add(name="id", number=1, type="TYPE_INT32")
    file.message_type.add(name="Second")
    return file


def struct() -> struct_pb2.Value:
    value = struct_pb2.Value()
    value.struct_value.fields["tip"].number_value = 1.5
    return value


@pytest.mark.parametrize(
    ("assignment", "before", "after"),
    [
        pytest.param("name=b.proto", "a.proto", "b.proto", id="text"),
        pytest.param('name="with = sign"', "a.proto", "with = sign", id="quoted"),
        pytest.param("name=", "a.proto", "", id="empty-text"),
        pytest.param("package=p", " (default)", "p", id="unset"),
        pytest.param("message_type[1].name=Third", "Second", "Third", id="element"),
        pytest.param("message_type[0].field[0].number=7", "1", "7", id="deep"),
        pytest.param("message_type[0].field[0].type=TYPE_FLOAT", "TYPE_INT32", "TYPE_FLOAT", id="enum"),
        pytest.param("message_type[0].field[0].type=2", "TYPE_INT32", "TYPE_FLOAT", id="enum-number"),
        pytest.param("options.deprecated=true", "False (default)", "True", id="bool-in-unset-message"),
        pytest.param("options.java_outer_classname='x'", " (default)", "x", id="single-quotes"),
        pytest.param("dependency[1]=z", "y", "z", id="repeated-text"),
        pytest.param("dependency[+]=z", "(new)", "z", id="append"),
        pytest.param("dependency=['p', 'q']", "[x, y]", "[p, q]", id="whole-list"),
        pytest.param("public_dependency=[1, 2]", "[0]", "[1, 2]", id="whole-numbers"),
        pytest.param("dependency=[]", "[x, y]", "[]", id="no-list"),
        pytest.param('message_type=[{name: "Only"}]', None, '[{ name: "Only" }]', id="whole-messages"),
        pytest.param('message_type[1]={name: "Other"}', '{ name: "Second" }', '{ name: "Other" }', id="one-message"),
        pytest.param("options={deprecated: true}", "(unset)", "{ deprecated: true }", id="sub-message"),
    ],
)
def test_sets(assignment: str, before: str | None, after: str) -> None:
    file = proto_file()
    done = apply_override(file, assignment)
    assert done.path == assignment.split("=")[0]
    assert done.after == after
    assert before is None or done.before == before
    assert apply_override(file, assignment).before == ("(new)" if "[+]" in assignment else after)


def test_appending_a_message() -> None:
    file = proto_file()
    apply_override(file, 'message_type[+]={name: "Third" field {name: "x"}}')
    assert [message.name for message in file.message_type] == ["First", "Second", "Third"]
    apply_override(file, "message_type[+].name=Fourth")
    assert file.message_type[3].name == "Fourth"


@pytest.mark.parametrize(
    ("assignment", "done"),
    [
        pytest.param(
            "struct_value.fields[tip].number_value=2",
            Override("struct_value.fields[tip].number_value", "1.5", "2"),
            id="map-entry",
        ),
        pytest.param(
            "struct_value.fields[tip]={bool_value: true}",
            Override("struct_value.fields[tip]", "{ number_value: 1.5 }", "{ bool_value: true }"),
            id="map-value",
        ),
        pytest.param(
            "struct_value.fields[a.b]={bool_value: true}",
            Override("struct_value.fields[a.b]", "(unset)", "{ bool_value: true }"),
            id="new-map-key-with-dot",
        ),
        pytest.param(
            "list_value.values[+].number_value=1",
            Override("list_value.values[+].number_value", "0 (default)", "1", replaced="struct_value"),
            id="other-member-of-a-oneof",
        ),
    ],
)
def test_maps_and_oneofs(assignment: str, done: Override) -> None:
    assert apply_override(struct(), assignment) == done


@pytest.mark.parametrize(
    ("message", "assignment", "match"),
    [
        pytest.param(proto_file(), "name", "expected path.to.field=value", id="no-equals"),
        pytest.param(proto_file(), "=3", "expected path.to.field=value", id="no-path"),
        pytest.param(proto_file(), "a..b=3", "cannot be read at '.b'", id="two-dots"),
        pytest.param(proto_file(), "name.=3", r"cannot be read at 'name\.'", id="end-dot"),
        pytest.param(proto_file(), "nmae=3", "FileDescriptorProto has no field 'nmae'; did you mean 'name'", id="typo"),
        pytest.param(
            proto_file(), "message_type[0].feild[0].number=3", "DescriptorProto has no field 'feild'", id="deep-typo"
        ),
        pytest.param(proto_file(), "number=3", r"did you mean message_type\[0\]\.field\[0\]\.number\?", id="elsewhere"),
        pytest.param(
            proto_file(), "numbr=3", r"did you mean message_type\[0\]\.field\[0\]\.number\?", id="near-elsewhere"
        ),
        pytest.param(proto_file(), "xyzzy=3", "known: dependency, edition, ", id="nothing-near"),
        pytest.param(proto_file(), "name.x=3", "is text, so nothing lies below it", id="below-a-scalar"),
        pytest.param(proto_file(), "name[0]=3", "'name' is not repeated", id="index-on-scalar"),
        pytest.param(proto_file(), "options[0].deprecated=true", "'options' is not repeated", id="index-on-message"),
        pytest.param(proto_file(), "message_type.name=x", r"has 2 elements \(\[0\] to \[1\]\)", id="no-index"),
        pytest.param(proto_file(), "message_type[2].name=x", "has 2 elements", id="index-too-large"),
        pytest.param(proto_file(), "extension[0].name=x", "has 0 elements .none yet", id="no-elements"),
        pytest.param(proto_file(), "dependency[9]=x", "has 2 elements", id="scalar-index-too-large"),
        pytest.param(proto_file(), "dependency=x", "'dependency' is repeated; expected", id="list-without-brackets"),
        pytest.param(proto_file(), "public_dependency=[x]", "not a list of a whole number", id="list-of-wrong-type"),
        pytest.param(
            proto_file(), "message_type[0]=x", "is a DescriptorProto; expected {", id="message-without-braces"
        ),
        pytest.param(proto_file(), "message_type[0]={nmae: 1}", "not a DescriptorProto", id="wrong-message"),
        pytest.param(proto_file(), "options.deprecated=maybe", "expected true or false", id="bool"),
        pytest.param(proto_file(), "message_type[0].field[0].number=2.5", "expected a whole number", id="int"),
        pytest.param(proto_file(), "message_type[0].field[0].number=99999999999", "out of range", id="range"),
        pytest.param(
            proto_file(), "message_type[0].field[0].type=TYPE_FLAOT", "not a Type; did you mean 'TYPE_FLOAT'", id="enum"
        ),
        pytest.param(wrappers_pb2.FloatValue(), "value=much", "expected a number", id="float"),
        pytest.param(
            wrappers_pb2.UInt32Value(), "value=-1", "out of range; expected a whole number from 0", id="unsigned"
        ),
        pytest.param(
            struct(), "struct_value.fields.number_value=1", r"is a map; expected fields\[key\]", id="map-no-key"
        ),
    ],
)
def test_refused(message: Message, assignment: str, match: str) -> None:
    fresh = type(message)()
    fresh.CopyFrom(message)
    with pytest.raises(ConfigError, match=match) as caught:
        apply_override(fresh, assignment)
    assert str(caught.value).startswith("--set ")
    assert "\n" not in str(caught.value)


def test_bytes() -> None:
    value = wrappers_pb2.BytesValue()
    apply_override(value, "value=abc")
    assert value.value == b"abc"
