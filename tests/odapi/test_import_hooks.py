from __future__ import annotations

import sys

import pytest

from kpt_tools.errors import EngineError
from kpt_tools.odapi import import_hooks

OLD_MODULE = """
from google.protobuf import descriptor as _descriptor
from object_detection.protos import eval_pb2 as e
from object_detection.protos import train_pb2 as t
DESCRIPTOR = _descriptor.FileDescriptor(name='x.proto', serialized_pb=b'\\n\\x07x.proto')
_MESSAGE = _descriptor.Descriptor(name='M', serialized_pb_start=1)
"""


def test_reads_descriptor_and_dependencies_of_an_old_module() -> None:
    serialized, dependencies = import_hooks.read_old_proto_module(OLD_MODULE, "x_pb2.py")
    assert serialized == b"\n\x07x.proto"
    assert dependencies == ["object_detection.protos.eval_pb2", "object_detection.protos.train_pb2"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("DESCRIPTOR = 1\n", id="none"),
        pytest.param(OLD_MODULE + OLD_MODULE, id="two"),
        pytest.param("DESCRIPTOR = f(serialized_pb='text')\n", id="not-bytes"),
    ],
)
def test_refuses_a_module_it_does_not_know(source: str) -> None:
    with pytest.raises(EngineError, match=r"x_pb2\.py: found \d serialized descriptors, expected 1"):
        import_hooks.read_old_proto_module(source, "x_pb2.py")


def test_post_import_action_sees_the_executed_module(tmp_path, monkeypatch) -> None:
    (tmp_path / "kpt_probe_module.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen = []
    finder = import_hooks.PostImportFinder({"kpt_probe_module": [lambda module: seen.append(module.value)]})
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    import kpt_probe_module

    assert seen == [1]
    assert kpt_probe_module.value == 1


def test_post_import_finder_leaves_missing_modules_missing(monkeypatch) -> None:
    finder = import_hooks.PostImportFinder({"kpt_no_such_module": []})
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="kpt_no_such_module"):
        __import__("kpt_no_such_module")


def test_install_puts_a_finder_first_and_only_once(monkeypatch) -> None:
    others = [f for f in sys.meta_path if not isinstance(f, import_hooks.ProtoModuleFinder)]
    monkeypatch.setattr(sys, "meta_path", list(others))
    import_hooks.install(import_hooks.ProtoModuleFinder())
    import_hooks.install(import_hooks.ProtoModuleFinder())
    assert [type(f) for f in sys.meta_path[:1]] == [import_hooks.ProtoModuleFinder]
    assert len(sys.meta_path) == len(others) + 1
